public import IRCPassKit

/// Writes the graph as a C library with its weights; the graph stays as it is.
public struct EmitC: Pass {
  public static let info = PassInfo(
    name: "emit-c",
    summary: "Write a dependency-free C11 library and its weights file.",
    details: """
      Writes `NAME.h`, `NAME.c`, `NAME.weights` and the kernels, those of sequences and transforms only where they are used, and for \
      build systems `NAME.pc` and `NAMEConfig.cmake`. Tokens of a prompt run in chunks; the memory \
      for values between operators is planned for one chunk. Results do not depend on the chunk.

      Codes lie in blocks of 32, and each row starts a block, so a row of few columns is mostly padding: one of 8 columns takes as \
      many bytes in 8 bits as in f32, and its scale besides. A remark names such tensors.

      A model that attends keeps something of every token, so its contexts are made for a number of tokens. Callers \
      name one; for those who do not, `context` does, up to the model's own limit. Without it that is the model's limit, but \
      8192 at most, since a context for all of a limit of 131072 would take more memory than most machines have; and 2048 \
      for a model without a limit.

      A context runs on the thread that calls it until the caller asks for more with `NAME_set_threads`. Products are then shared \
      by rows of their weights, attention by heads and tokens, scans by channels and all else by tokens, where there is work \
      of 10 microseconds for each thread; results do not depend on the number. `pool` makes POSIX threads, which \
      sleep when there is nothing to do, in the context's memory; `openmp` leaves them to the compiler's OpenMP; `none` leaves \
      them out. Each thread that there is room for takes memory of a context, which is not touched before it is used.

      Kernels are those of the model's `target`: of `native` all that there are, among which the processor decides when a context \
      is made; of another one its own and the portable ones, and on a processor without its instructions no context is made.
      """,
    preservesFunction: true, emitsFiles: true,
    statistics: [tensors, weightBytes, arenaBytes], remarks: [larger])

  static let tensors = Statistic("tensors", "Tensors in the weights file.")
  static let weightBytes = Statistic("weight-bytes", "Bytes of the weights file.")
  static let arenaBytes = Statistic("arena-bytes", "Bytes for values between operators.")

  static let larger = RemarkKind(
    "larger", .analysis, "A quantized tensor takes more bytes than it would in f32.")

  @PassOption("Tokens of a prompt that run together.", in: 1...512)
  public var chunk = 32

  @PassOption(
    "Tokens that a context has room for when the caller does not say; the model's limit at most.",
    in: 1...(1 << 24))
  public var context: Int? = nil

  @PassOption("What threads are made with.")
  public var threads = ThreadModel.pool

  @PassOption(
    "Threads that a context has room for, the caller's among them; callers ask for fewer or as many.",
    in: 1...256)
  public var mostThreads = 16

  /// Most tokens that a context has room for without the option.
  private static let usualContext = 8192
  /// Tokens that a context has room for when neither the option nor the model says.
  private static let unlimitedContext = 2048

  public init() {}

  public func run(on graph: inout Graph, in context: PassContext) throws {
    tell(try emitter(context).emit(graph, to: try context.output()), graph, context)
  }

  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    tell(try emitter(context).plan(graph), graph, context)
    return .certain
  }

  private func emitter(_ context: PassContext) -> CEmitter {
    CEmitter(
      CEmitter.Options(
        name: context.model.name, chunk: chunk,
        contextLength: contextLength(limit: context.model.contextLength), target: context.target,
        threads: threads, mostThreads: mostThreads))
  }

  private func tell(_ report: EmissionReport, _ graph: Graph, _ context: PassContext) {
    context.report(report)
    remarkLarger(report, graph, context)
    context.count(Self.tensors, by: report.tensors.count)
    context.count(Self.weightBytes, by: report.weightBytes)
    context.count(Self.arenaBytes, by: report.arenaBytes)
  }

  /// Names tensors that padding and scales make larger than single precision would.
  private func remarkLarger(_ report: EmissionReport, _ graph: Graph, _ context: PassContext) {
    let places = Dictionary(
      graph.operations(of: Parameter.self).map { ($0.op.name, $0.operation.location) }
    ) { first, _ in first }
    for tensor in report.tensors {
      let real = tensor.shape.reduce(4, *)
      guard tensor.bytes > real else { continue }
      context.remark(
        Self.larger, at: places[tensor.name] ?? .unknown,
        "'\(tensor.name)' takes \(tensor.bytes) bytes as \(tensor.format), in f32 it would take \(real)",
        hint:
          "rows of codes are padded to 32 columns, and panels to 16 rows; name it under 'exclude' of 'quantize'"
      )
    }
  }

  /// Tokens of a context by default, for a model with this limit.
  private func contextLength(limit: Int?) -> Int {
    guard let limit else { return context ?? Self.unlimitedContext }
    return min(limit, context ?? Self.usualContext)
  }
}
