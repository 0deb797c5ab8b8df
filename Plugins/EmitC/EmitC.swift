public import IRCPassKit

/// Writes the graph as a C library with its weights; the graph stays as it is.
public struct EmitC: Pass {
  public static let info = PassInfo(
    name: "emit-c",
    summary: "Write a dependency-free C11 library and its weights file.",
    details: """
      Writes `NAME.h`, `NAME.c`, `NAME.weights` and the kernels that they use. Tokens of a prompt run in chunks; the memory \
      for values between operators is planned for one chunk. Results do not depend on the chunk.
      """,
    preservesFunction: true, emitsFiles: true,
    statistics: [tensors, weightBytes, arenaBytes])

  static let tensors = Statistic("tensors", "Tensors in the weights file.")
  static let weightBytes = Statistic("weight-bytes", "Bytes of the weights file.")
  static let arenaBytes = Statistic("arena-bytes", "Bytes for values between operators.")

  @PassOption("Tokens of a prompt that run together.", in: 1...512)
  public var chunk = 32

  @PassOption(
    "Tokens that a context has room for when the caller does not say and the model has no limit.",
    in: 1...(1 << 24))
  public var context = 2048

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    let emitter = CEmitter(
      CEmitter.Options(
        name: context.model.name, chunk: chunk,
        contextLength: context.model.contextLength ?? self.context, target: context.target))
    let report = try emitter.emit(graph, to: try context.output())
    context.report(report)
    context.count(Self.tensors, by: report.tensors.count)
    context.count(Self.weightBytes, by: report.weightBytes)
    context.count(Self.arenaBytes, by: report.arenaBytes)
  }
}
