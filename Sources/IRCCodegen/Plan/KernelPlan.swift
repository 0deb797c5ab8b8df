/// What an emitted library does for tokens: every call of a kernel in the order in which they run, with what it reads, writes and
/// multiplies.
public struct KernelPlan: Hashable, Sendable {
  /// One call of a kernel.
  public struct Step: Hashable, Sendable {
    /// The layer of the checkpoint whose function it is in.
    public let layer: String
    /// Name of the operator.
    public let operation: String
    /// Name of the kernel in `irc_kernels.h`, or of a helper of the C file.
    public let kernel: String
    /// The constants that it reads.
    public let weights: [Weight]
    /// What is multiplied with them, such as `int8 row`.
    public let activations: String
    /// Extents of the first matrix among the constants, else the columns of the result.
    public let shape: [Int]
    /// The loop over tokens that it is in, counted from 0 over the library; nil if it runs for all tokens at once.
    public let loop: Int?
    /// True if it runs only for tokens whose logits are asked for.
    public let isTail: Bool
    /// Multiply-accumulates of codes.
    public let integerProducts: Amount
    /// Multiply-accumulates of real numbers.
    public let realProducts: Amount
    /// Bytes of constants.
    public let weightBytes: Amount
    /// Bytes of values and states; without those of which a loop has one row, since that stays in the nearest cache.
    public let readBytes: Amount
    /// The same, of what is written.
    public let writtenBytes: Amount
  }

  /// A constant that a step reads.
  public struct Weight: Hashable, Sendable {
    /// Name of the checkpoint tensor that it stands for.
    public let name: String
    /// How it is kept, such as `f16` or `int4 group(32) f16`.
    public let format: String
    /// How codes lie, `rows` or `panels`; nil for real numbers.
    public let packing: String?
    /// Extents.
    public let shape: [Int]
    /// Bytes of all of it.
    public let bytes: Int
  }

  /// The memory for values between steps, for a chunk of tokens.
  public struct Arena: Hashable, Sendable {
    /// Bytes of the arena.
    public let bytes: Int
    /// Bytes that it would have if every step ran for all tokens and wrote where nothing is read.
    public let bytesApart: Int
    /// Bytes of all values side by side, each for all tokens.
    public let bytesWithoutReuse: Int
    /// Bytes of what lives during one step, at the step where that is most.
    public let largestLive: Int
  }

  /// The steps in order.
  public let steps: [Step]
  /// The memory between them.
  public let arena: Arena
  /// Tokens of a prompt that run together.
  public let chunk: Int
}

extension KernelPlan {
  /// Tokens that run together, behind others.
  public struct Call: Hashable, Sendable {
    /// How many.
    public var tokens: Int
    /// How many came before.
    public var past: Int

    /// Makes a call.
    public init(tokens: Int, past: Int = 0) {
      self.tokens = tokens
      self.past = past
    }
  }

  /// How much of something a call takes.
  public struct Amount: Hashable, Sendable {
    /// However many tokens there are.
    public var perCall = 0
    /// For each token.
    public var perToken = 0
    /// For each position that some token of the call attends to.
    public var perPosition = 0
    /// For each token and each position that it attends to.
    public var perKey = 0
    /// Positions that a token attends to at most; 0: no limit.
    public var window = 0

    /// That of one call.
    public func total(of call: Call) -> Int {
      let all = call.past + call.tokens
      let positions = window > 0 ? min(all, window + call.tokens - 1) : all
      var sum = perCall + perToken * call.tokens + perPosition * positions
      if perKey > 0 {
        let keys = (call.past + 1...all).reduce(0) { $0 + (window > 0 ? min($1, window) : $1) }
        sum += perKey * keys
      }
      return sum
    }

    static func += (a: inout Amount, b: Amount) {
      a.perCall += b.perCall
      a.perToken += b.perToken
      a.perPosition += b.perPosition
      a.perKey += b.perKey
      a.window = max(a.window, b.window)
    }
  }
}
