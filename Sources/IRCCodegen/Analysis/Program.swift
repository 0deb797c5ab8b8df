import IRCGraph

/// Everything that is written about a model's computation, ready to be put into C.
struct Program {
  /// One operation as C statements.
  struct Step {
    /// What it does, with shapes and the checkpoint's names.
    var comment: String
    var statements: [String]
    /// Variables that the statements use.
    var values: [RowValue]
  }

  /// A run of steps that belong together, such as a layer: one C function.
  struct Function {
    var name: String
    var comment: String
    /// True if it runs only for tokens whose logits are asked for.
    var isTail: Bool
    var steps: [Step]
  }

  var functions: [Function] = []
  var buffers: [ArenaBuffer] = []
  var arenaBytes = 0
  var states: [StateBuffer] = []
  var weights = WeightLayout()
  /// File-scope tables of doubles, by name.
  var tables: [(name: String, values: [Double])] = []
  /// File-scope constants of other kinds: the name and the definition.
  var constants: [(name: String, definition: [String])] = []
  /// Helpers of the C file that the statements call.
  var helpers: Set<Helper> = []
  /// Columns of the logits.
  var vocabulary = 0
  /// Token ids below this are rows of every embedding table.
  var tokenLimit = Int(Int32.max)
  /// Bytes of scratch of the largest product.
  var scratchBytes = 0
  /// True if an operation attends to a growing cache.
  var attends = false
  /// True if sequence kernels are called.
  var needsSequenceKernels = false
  /// True if the fast Hadamard transform is called.
  var needsHadamardKernel = false

  /// Floats that all growing states together take for one token.
  var cacheColumns: Int { states.reduce(0) { $0 + ($1.grows ? $1.count : 0) } }
  /// Bytes of the states of fixed size.
  var stateBytes: Int {
    states.reduce(0) { $0 + ($1.grows ? 0 : aligned($1.count * $1.type.byteCount)) }
  }
}

/// A small function of the C file itself, written only if it is called.
enum Helper: Int, Comparable {
  case copyRows, positions, dequantize

  static func < (a: Helper, b: Helper) -> Bool { a.rawValue < b.rawValue }
}
