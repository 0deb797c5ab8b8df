import GPTQ
import IRCPassKit
import IRCPassManager
import QuantizeTensors

/// A transformer layer of one size with made-up weights, and calibration text for it.
struct Layer {
  let hidden: Int
  let feedForward: Int
  let vocabulary = 512
  let windows: [[Int32]]
  private(set) var graph: Graph

  /// Inputs and outputs of its linear layers, in order; those that read one value together.
  var linears: [(input: Int, outputs: [Int])] {
    [
      (hidden, [hidden, hidden, hidden]), (hidden, [hidden]), (hidden, [feedForward, feedForward]),
      (feedForward, [hidden]),
    ]
  }

  var tokens: Int { windows.reduce(0) { $0 + $1.count } }

  init(hidden: Int, feedForward: Int, windows: Int, window: Int) throws {
    (self.hidden, self.feedForward) = (hidden, feedForward)
    let numbers = RandomNumbers(seed: 7)
    self.windows = (0..<windows).map { index in
      (0..<window).map { Int32(numbers.integer(index * window + $0, below: 512)) }
    }
    let (d, f, v) = (hidden, feedForward, vocabulary)
    func parameter(_ name: String, _ rows: Int, _ columns: Int) -> String {
      "param \"\(name)\" {shape = [\(rows), \(columns)], stored = f32} : f32[\(rows), \(columns)]"
    }
    let text = """
      irc.graph @"layer" {stage = "float"} {
        %ids = input "ids" : i32[tokens]
        %table = \(parameter("table", v, d))
        %x = embedding %ids, %table : f32[tokens, \(d)]
        %n = rms_norm %x {epsilon = 1e-05} : f32[tokens, \(d)]
        %wq = \(parameter("layer.q", d, d))
        %wk = \(parameter("layer.k", d, d))
        %wv = \(parameter("layer.v", d, d))
        %q = linear %n, %wq : f32[tokens, \(d)]
        %k = linear %n, %wk : f32[tokens, \(d)]
        %v = linear %n, %wv : f32[tokens, \(d)]
        %a = attention %q, %k, %v {heads = \(d / 128), kv_heads = \(d / 128), scale = 0.0884, window = 0} : f32[tokens, \(d)]
        %wo = \(parameter("layer.o", d, d))
        %o = linear %a, %wo : f32[tokens, \(d)]
        %r = add %x, %o : f32[tokens, \(d)]
        %m = rms_norm %r {epsilon = 1e-05} : f32[tokens, \(d)]
        %wg = \(parameter("layer.gate", f, d))
        %wu = \(parameter("layer.up", f, d))
        %g = linear %m, %wg : f32[tokens, \(f)]
        %u = linear %m, %wu : f32[tokens, \(f)]
        %s = silu %g : f32[tokens, \(f)]
        %p = mul %s, %u : f32[tokens, \(f)]
        %wd = \(parameter("layer.down", d, f))
        %e = linear %p, %wd : f32[tokens, \(d)]
        %t = add %r, %e : f32[tokens, \(d)]
        %y = linear %t, %table : f32[tokens, \(v)]
        output "logits" = %y
      }
      """
    graph = try GraphParser.parse(text, file: "layer.irc", registry: .standard)
    var source = MadeUpTensors()
    for (_, op) in graph.operations(of: Parameter.self) { source.add(op.name, op.shape) }
    graph.parameters = source
  }

  /// Rounds the layer, to nearest and then with `gptq`; processor seconds of both, of which rounding to nearest, which is put off
  /// until weights are read, has next to none; and how many weights were rounded.
  func round(_ gptq: GPTQ, _ spec: QuantizationSpec) throws -> (seconds: Double, rounded: Int) {
    var quantize = QuantizeTensors()
    quantize.scheme = QuantizationScheme(weights: spec, embeddings: nil)
    quantize.include = [NamePattern("layer.*")]
    let recorder = RunRecorder()
    let manager = PassManager(
      [
        PassInstance(id: "quantize", pass: quantize, span: nil),
        PassInstance(id: "gptq", pass: gptq, span: nil),
      ], registry: try PassRegistry([QuantizeTensors.self, GPTQ.self]), instruments: [recorder])
    var services = PassServices.none
    services.walk = { [windows] graph, stops, visit in
      try CalibrationWalk(graph, stops: stops, windows: windows).run(visit)
    }
    var graph = graph
    let start = processorSeconds()
    try manager.run(
      on: &graph,
      model: ModelDescription(name: "layer", vocabularySize: vocabulary, contextLength: nil),
      target: .portable, services: services)
    let seconds = processorSeconds() - start
    return (seconds, recorder.runs[1].counters.first?.value ?? 0)
  }
}

/// Normally distributed weights of standard deviation 1/√columns, the same in every run.
struct MadeUpTensors: ParameterSource {
  private var tensors: [String: Tensor] = [:]

  mutating func add(_ name: String, _ shape: [Int]) {
    let numbers = RandomNumbers(seed: name.utf8.reduce(5) { $0 &* 31 &+ UInt64($1) })
    let deviation = name == "table" ? 1 : 1 / Double(shape[1]).squareRoot()
    tensors[name] = Tensor(shape, of: Float.self) { target in
      for index in target.indices { target[index] = Float(numbers.normal(index) * deviation) }
    }
  }

  func tensor(named name: String) throws -> Tensor {
    guard let tensor = tensors[name] else { throw OperatorError("there is no '\(name)'") }
    return tensor
  }
}
