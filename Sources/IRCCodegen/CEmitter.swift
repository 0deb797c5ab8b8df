import CKernels
import IRCExecution
public import IRCGraph
import IRCOps
public import IRCSupport

/// Writes a graph as a C library: a header, a source file, the kernels it uses, and its weights.
public struct CEmitter: Sendable {
  /// What can be chosen.
  public struct Options: Hashable, Sendable {
    /// What files and symbols are called after.
    public var name: String
    /// Tokens of a prompt that run together, 1...512.
    public var chunk: Int
    /// Tokens that a context has room for by default, if the graph has a cache that grows.
    public var contextLength: Int
    /// Machine whose kernels are written and whose compiler flags the source file recommends.
    public var target: Target
    /// What threads are made with.
    public var threads: ThreadModel
    /// Threads that a context has room for where there are threads, 1...256.
    public var mostThreads: Int

    /// Chooses.
    public init(
      name: String, chunk: Int = 32, contextLength: Int = 2048, target: Target = .native,
      threads: ThreadModel = .pool, mostThreads: Int = 16
    ) {
      self.name = name
      self.chunk = chunk
      self.contextLength = contextLength
      self.target = target
      self.threads = threads
      self.mostThreads = mostThreads
    }

    /// Threads that a context has room for: one where there are none to start.
    var threadRoom: Int { threads == .none ? 1 : mostThreads }
  }

  private let options: Options

  /// Prepares to write.
  public init(_ options: Options) {
    self.options = options
  }

  /// Writes the files of `graph` into `output`; the caller commits them.
  ///
  /// The graph has one input, token ids i32[tokens], and one output, logits f32[tokens, vocabulary]. Bytes depend on the graph,
  /// its parameters and the options only.
  ///
  /// - Throws: `Diagnostic` `codegen.unsupported` naming the operation that has no C, `weights.non-finite` naming the tensor, or
  ///   `output.unwritable`.
  @discardableResult
  public func emit(_ graph: Graph, to output: OutputFiles) throws -> EmissionReport {
    let draft = try draft(graph)
    let texts = texts(of: draft)
    for (name, text) in texts.files { try output.write(name, text) }
    let writer = WeightWriter(
      graph: draft.graph, layout: draft.program.weights, folder: draft.folder)
    try writer.write(
      to: try output.open(draft.names.weights), table: draft.table, fingerprint: texts.fingerprint)
    return report(draft, texts.files)
  }

  /// What `emit` would write, without computing weights: of them no more is read than tells whether two are equal.
  ///
  /// - Throws: `Diagnostic` as `emit`, as far as it does not depend on the weights.
  public func plan(_ graph: Graph) throws -> EmissionReport {
    let draft = try draft(graph)
    return report(draft, texts(of: draft).files)
  }

  /// All that is known before the weights are written.
  private struct Draft {
    let graph: Graph
    let names: ArtifactNames
    let folder: ConstantFolder
    let program: Program
    let contextLength: Int?
    let kernels: KernelChoice
    let table: [UInt8]
    let source: SourceText
  }

  private func draft(_ graph: Graph) throws -> Draft {
    guard (1...512).contains(options.chunk), (1...(1 << 30)).contains(options.contextLength),
      (1...256).contains(options.mostThreads)
    else {
      throw Diagnostic(
        "codegen.options",
        "a chunk of \(options.chunk) tokens, a context of \(options.contextLength) and \(options.mostThreads) threads "
          + "are not possible",
        hint: "chunk from 1 to 512, context from 1 to \(1 << 30), threads from 1 to 256")
    }
    let graph = try prepared(graph)
    let names = ArtifactNames(model: options.name)
    let folder = ConstantFolder(graph)
    let program = try ProgramSelection.program(
      of: graph, chunk: options.chunk,
      threads: options.threads == .none ? 0 : options.mostThreads
    ) { try folder.fold($0) }
    let contextLength = program.cacheBytes > 0 ? options.contextLength : nil
    let kernels = KernelChoice(options.target, among: embeddedFiles(), for: program)
    let table = WeightFile.table(program.weights, model: options.name)
    let source = SourceText(
      names: names, program: program, options: options, contextLength: contextLength,
      kernels: kernels, bodyBytes: program.weights.dataBytes + table.count)
    return Draft(
      graph: graph, names: names, folder: folder, program: program, contextLength: contextLength,
      kernels: kernels, table: table, source: source)
  }

  /// Every file but the weights, and what ties the weights to them.
  private func texts(
    of draft: Draft
  ) -> (files: [(name: String, text: String)], fingerprint: UInt64) {
    let names = draft.names
    // Code and weights of one emission know each other by a checksum of the code.
    let fingerprint = Checksum.of(draft.source.text(fingerprint: 0))
    let header = HeaderText(
      names: names, vocabulary: draft.program.vocabulary, tokenLimit: draft.program.tokenLimit,
      contextLength: draft.contextLength, options: options, kernels: draft.kernels)
    var files = [
      (names.header, header.text), (names.source, draft.source.text(fingerprint: fingerprint)),
    ]
    for kernel in draft.kernels.files {
      let definitions = draft.kernels.definitions(
        of: kernel.name, symbol: names.symbol, threads: options.threads)
      files.append((kernel.name, definitions + kernel.text))
    }
    let package = PackageText(
      names: names, sources: [names.source] + draft.source.kernelSources, target: options.target,
      threads: options.threads)
    files += [(names.pkgConfig, package.pkgConfig), (names.cmakeConfig, package.cmake)]
    return (files, fingerprint)
  }

  /// The graph without what is computed twice or not needed, and with equal tensors of the checkpoint as one.
  private func prepared(_ graph: Graph) throws -> Graph {
    var graph = graph
    try graph.unifyEqualParameters()
    graph.mergeEqualOperations()
    graph.removeDeadOperations()
    return graph
  }

  private func report(
    _ draft: Draft, _ texts: [(name: String, text: String)]
  ) -> EmissionReport {
    let program = draft.program
    let capacity = draft.contextLength.map { ($0 + 15) / 16 * 16 } ?? 0
    let scores = (capacity * program.scoreColumns + program.scoreCodes) * 4
    let growing = capacity * program.cacheBytes + scores * options.threadRoom
    return EmissionReport(
      names: draft.names, files: texts.map(\.name) + [draft.names.weights],
      tensors: program.weights.tensors.map { tensor in
        EmissionReport.StoredTensor(
          name: tensor.name, constant: tensor.constant, shape: tensor.shape, format: tensor.format,
          bytes: tensor.bytes)
      }, textBytes: texts.reduce(0) { $0 + $1.text.utf8.count },
      weightBytes: WeightFile.fileBytes(body: draft.source.bodyBytes),
      arenaBytes: program.arenaBytes,
      contextBytes: draft.source.headBytes + program.arenaBytes + program.stateBytes
        + program.scratchBytes * options.threadRoom + aligned(program.vocabulary * 4)
        + draft.source.teamBytes + growing,
      tokenBytes: program.cacheBytes, contextLength: draft.contextLength,
      kernels: program.kernelPlan(chunk: options.chunk),
      vocabulary: program.vocabulary, chunk: options.chunk,
      compilerFlags: options.target.compilerFlags(options.threads))
  }
}

/// The kernels' text, as the compiler carries it.
private func embeddedFiles() -> [(name: String, text: String)] {
  let files = unsafe UnsafeBufferPointer(
    start: irc_embedded_files(), count: irc_embedded_file_count())
  return unsafe files.map { file in
    let text = unsafe UnsafeRawBufferPointer(start: file.text, count: file.size)
    return unsafe (String(cString: file.file_name), String(decoding: text, as: UTF8.self))
  }
}
