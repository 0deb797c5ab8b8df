import IRCGraph

/// Everything that is written about a model's computation, ready to be put into C.
struct Program {
  /// One operation as calls of C functions.
  struct Step {
    /// Place in the order of the steps, which lifetimes of buffers count in.
    var index: Int
    /// Name of the operator.
    var title: String
    /// What it does, with shapes and the checkpoint's names.
    var comment: String
    /// Constants that the calls take by address.
    var locals: [String] = []
    var calls: [KernelCall]
    /// Values that the calls use, in the order in which they were met.
    var values: [RowValue]
    /// Those that are read, and those that are written.
    var reads: [RowValue]
    var writes: [RowValue]
    var rows = RowAccess.together
    /// True if the calls can be made for some of the tokens each: every row that they write needs the same row of what they read
    /// only, and no kernel in it shares its work itself.
    var isDivisible = false
    /// Values that are read and whose rows the result may be written over.
    var replaceable: [RowValue] = []
    var work = StepWork()
  }

  /// Whether the calls of a step can be made for one token after another.
  enum RowAccess {
    /// For all tokens at once only: a product, or what goes from token to token.
    case together
    /// As one likes.
    case either
    /// For one token after another only.
    case oneByOne
  }

  /// One step for all tokens, or a loop over the tokens with some steps in it.
  struct Block {
    var steps: [Step]
    var isLoop: Bool
    /// Places of the steps.
    var range: ClosedRange<Int> { steps[0].index...steps[steps.count - 1].index }
  }

  /// A run of steps that belong together, such as a layer: one C function.
  struct Function {
    var name: String
    var comment: String
    /// True if it runs only for tokens whose logits are asked for.
    var isTail: Bool
    var blocks: [Block]
    var steps: [Step] { blocks.flatMap(\.steps) }
  }

  var functions: [Function] = []
  var buffers: [ArenaBuffer] = []
  var arenaBytes = 0
  /// What the arena would take if every step ran for all tokens at once and wrote where nothing is read.
  var arenaBytesApart = 0
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
  /// Floats that a token adds to the scores of attention, if an operation attends to a growing cache.
  var scoreColumns = 0
  /// Floats of the same room that hold the codes of queries, however many tokens there are.
  var scoreCodes = 0
  /// True if sequence kernels are called.
  var needsSequenceKernels = false
  /// True if the fast Hadamard transform is called.
  var needsHadamardKernel = false
  /// Threads that a context has room for; 0 if the library has none but the caller's.
  var threads = 0

  /// True if the library can have threads.
  var hasThreads: Bool { threads > 0 }

  /// True if threads share the tokens of a block: a loop over them, or one step that can take some at a time.
  func isShared(_ block: Block) -> Bool {
    hasThreads && (block.isLoop || block.steps.allSatisfy(\.isDivisible))
  }

  /// Bytes that all growing states together take for one token.
  var cacheBytes: Int { states.reduce(0) { $0 + ($1.grows ? $1.count * $1.type.byteCount : 0) } }
  /// Bytes of the states of fixed size.
  var stateBytes: Int {
    states.reduce(0) { $0 + ($1.grows ? 0 : aligned($1.count * $1.type.byteCount)) }
  }
}

/// A small function of the C file itself, written only if it is called.
enum Helper: Int, Comparable {
  case copyRows, copyCodes, positions, dequantize

  static func < (a: Helper, b: Helper) -> Bool { a.rawValue < b.rawValue }
}
