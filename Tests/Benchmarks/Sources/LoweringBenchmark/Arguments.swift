/// What the command line asks for.
struct Arguments {
  /// The compiler.
  var irc = ".build/release/irc"
  /// Where the checkpoint and the outputs go.
  var folder = ".build/benchmarks/data"
  /// Name of the pipeline.
  var pipeline = "rtn-w8a8"
  /// Number of runs after one that warms up.
  var runs = 5
  /// Layers of the synthetic model; 15 make 1 GB.
  var layers = 15
  /// True if it is measured what rotations cost, instead of one pipeline.
  var measuresRotation = false
  /// True if it is measured how memory grows with the number of layers.
  var measuresDepth = false
  /// Tokens to calibrate on, at random; none for pipelines that need none.
  var tokens = 0
  /// True if a missed limit is a failure.
  var isStrict = false

  static let usage = """
    usage: lowering-benchmark [--irc PATH] [--folder DIR] [--pipeline NAME] [--runs N] [--layers N] [--tokens N] [--rotation | --depth] [--strict]
    """

  /// Reads the arguments after the program's name.
  ///
  /// - Throws: `BenchmarkError` for anything that is not in `usage`.
  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      if option == "--strict" {
        isStrict = true
        continue
      }
      if option == "--rotation" {
        measuresRotation = true
        continue
      }
      if option == "--depth" {
        measuresDepth = true
        continue
      }
      guard let value = rest.popFirst() else { throw BenchmarkError(Self.usage) }
      switch option {
      case "--irc": irc = value
      case "--folder": folder = value
      case "--pipeline": pipeline = value
      case "--runs": runs = try Self.count(value)
      case "--tokens": tokens = try Self.count(value, upTo: 1 << 20)
      case "--layers": layers = try Self.count(value)
      default: throw BenchmarkError(Self.usage)
      }
    }
  }

  private static func count(_ text: String, upTo limit: Int = 1000) throws -> Int {
    guard let value = Int(text), (1...limit).contains(value) else { throw BenchmarkError(usage) }
    return value
  }
}

/// Why the benchmark cannot go on.
struct BenchmarkError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
