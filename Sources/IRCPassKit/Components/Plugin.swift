/// What a plugin adds to the compiler: a pass, or a component that passes choose by name.
///
///     let plugins: [any Plugin.Type] = [MyPass.self, MyMetric.self]
public protocol Plugin: Sendable {
  /// One with default options.
  init()
}
