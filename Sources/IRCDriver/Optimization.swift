import IRCFrontend
import IRCGraph
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

/// Passes over a graph in text form, without a model file.
package struct Optimization {
  /// What came out.
  package let result: Compilation.Result

  /// Reads a graph and runs passes over it.
  ///
  /// - Parameters:
  ///   - path: the graph.
  ///   - passes: as in `fold-norm-gains,quantize{scheme: w8a8}`.
  ///   - weights: folder whose tensors the graph's parameters are; without it only generated constants have values.
  /// - Throws: `DiagnosticList` with every error.
  package init(
    of path: String, passes: String, weights: String?, _ options: Compilation.Options,
    in environment: CompilerEnvironment
  ) throws {
    var graph = try GraphFile.read(path)
    if let weights { graph.parameters = try Checkpoint(folder: weights) }
    let schedule =
      passes.isEmpty
      ? []
      : try TextualPasses.read(
        passes, passes: environment.registry.passes, shipped: environment.shipped)
    let watch = Watch(options, probe: nil)
    let manager = PassManager(
      schedule, registry: environment.registry, instruments: watch.instruments)
    try manager.run(
      on: &graph,
      model: ModelDescription(name: graph.name, vocabularySize: 0, contextLength: nil),
      target: .native, services: .none, until: options.stopAfter)
    result = Compilation.Result(graph: graph, sourceBytes: 0, watch)
  }
}
