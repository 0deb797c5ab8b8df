/// What a plugin adds to the compiler: a pass, a component that passes choose by name, or an operator.
///
///     let plugins: [any Plugin.Type] = [MyPass.self, MyMetric.self, MyOperator.self]
///
/// Passes and components are plugins by their own protocols. An operator that passes put into graphs says so itself, as in
/// `struct MyOperator: RealOperator, Plugin`: graphs in text form can then name it, and results that have it are kept between runs.
public protocol Plugin: Sendable {}
