import IRCFrontend
import IRCGraph
import IRCOps
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import IRCTensor

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
    var graph = try GraphFile.read(path, operators: environment.registry.operators)
    if let weights {
      graph.parameters = try Self.parameters(of: graph, in: weights)
    } else if !graph.operations(of: Parameter.self).isEmpty {
      graph.parameters = NoWeights()
    }
    let schedule =
      passes.isEmpty
      ? []
      : try TextualPasses.read(
        passes, registry: environment.registry, shipped: environment.shipped)
    let watch = Watch(options, probe: nil)
    var manager = PassManager(
      schedule, registry: environment.registry, instruments: watch.instruments)
    let model = ModelDescription(name: graph.name, vocabularySize: 0, contextLength: nil)
    let basis = ResultBasis(environment.cache)
    defer { basis?.save() }
    manager.results = basis.map {
      PassResultCache(
        $0, model: model, target: .native, nil, operators: environment.registry.operators)
    }
    try manager.run(
      on: &graph, model: model, target: .native, services: .none, until: options.stopAfter)
    result = Compilation.Result(graph: graph, sourceBytes: 0, watch)
    result.tellKnown(environment.reporter)
  }

  /// The tensors of a folder, if they are those that the graph names.
  ///
  /// - Throws: `DiagnosticList` `checkpoint.missing-tensor` and `checkpoint.shape` for each parameter without its tensor.
  private static func parameters(of graph: Graph, in folder: String) throws -> Checkpoint {
    let checkpoint = try Checkpoint(folder: folder)
    var problems: [Diagnostic] = []
    for (_, parameter) in graph.operations(of: Parameter.self) {
      guard let tensor = checkpoint[parameter.name] else {
        problems.append(
          Diagnostic(
            "checkpoint.missing-tensor",
            "the graph has a parameter '\(parameter.name)', and the checkpoint no such tensor",
            at: SourceLocation(file: folder),
            hint: nearestMatch(to: parameter.name, in: checkpoint.tensors.lazy.map(\.name))
              .map { "there is '\($0)'" } ?? "name the folder that the graph was made from"))
        continue
      }
      if tensor.type.element == parameter.stored, tensor.shape == parameter.shape { continue }
      problems.append(
        Diagnostic(
          "checkpoint.shape",
          "tensor '\(tensor.name)' is \(tensor.description), and in the graph "
            + "\(parameter.stored.rawValue)\(parameter.shape)",
          at: SourceLocation(file: tensor.file),
          hint: "name the folder that the graph was made from"))
    }
    if !problems.isEmpty { throw DiagnosticList(Array(problems.prefix(20))) }
    return checkpoint
  }

  /// Stands for weights that were not given.
  private struct NoWeights: ParameterSource {
    func tensor(named name: String) throws -> Tensor {
      throw Diagnostic(
        "opt.no-weights", "the graph's parameters have no values, such as '\(name)'",
        hint: "add --weights FOLDER, or --function-check never if no pass looks at weights")
    }
  }
}
