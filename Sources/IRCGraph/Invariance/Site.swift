/// A maximal set of tied channel axes: one transform, chosen freely from `group`, moves them all and leaves the function alone.
///
/// Architecture page, section 1. The transform T is of `width` channels. Where a place is written x' = x·E, E is T or, on the
/// other side of a contraction, T⁻ᵀ, possibly repeated for the query heads that share a key head.
public struct Site: Sendable {
  /// A stretch of one axis of one value, or of one constant operand of one operation.
  public struct Place: Hashable, Sendable {
    /// What has the axis.
    public enum Holder: Hashable, Sendable {
      /// A value computed at run time.
      case value(ValueID)
      /// A constant that an operation reads, or the parameter that its adaptation adds.
      case constant(OperationID, operand: Int)
    }

    /// What has the axis.
    public var holder: Holder
    /// Which axis, from the outermost.
    public var axis: Int
    /// Which of its channels.
    public var channels: Range<Int>
  }

  /// How the site's transform T stands at a place.
  public struct Element: Hashable, Sendable {
    /// T⁻ᵀ instead of T.
    public var isInverse: Bool
    /// How often each block of T stands in a row.
    public var repeats: Int
    /// Channels of a repeated block; 0 if nothing is repeated.
    public var block: Int

    /// T itself.
    public static let direct = Element(inverse: false)

    /// T or T⁻ᵀ, each block of `block` channels `repeats` times in a row.
    public init(inverse: Bool, repeats: Int = 1, block: Int = 0) {
      isInverse = inverse
      self.repeats = repeats
      self.block = block
    }

    /// The channel of T that stands at a channel of a place, counted from the place's first.
    ///
    /// With repeats r and blocks of b channels a place has the blocks 0 (r times), 1 (r times), … of T.
    public func channel(at offset: Int) -> Int {
      guard repeats > 1 else { return offset }
      return offset / (block * repeats) * block + offset % block
    }

    /// Which of the copies of its block, in 0 ..< `repeats`, a channel of a place is in.
    public func copy(at offset: Int) -> Int { repeats > 1 ? offset / block % repeats : 0 }

    /// Where a channel of T stands at a place, counted from the place's first: once in each of `repeats` copies, in order.
    public func offsets(of channel: Int) -> [Int] {
      guard repeats > 1 else { return [channel] }
      let (index, inside) = channel.quotientAndRemainder(dividingBy: block)
      return (0..<repeats).map { (index * repeats + $0) * block + inside }
    }

    /// The other side of a contraction.
    var inverted: Element { Element(inverse: !isInverse, repeats: repeats, block: block) }
  }

  /// A constant that takes up the transform.
  public struct Absorber: Hashable, Sendable {
    /// The operation that reads the constant.
    public var operation: OperationID
    /// Which operand; one more than there are if it is the parameter of an adaptation.
    public var operand: Int
    /// Which axis of it.
    public var axis: Int
    /// Which channels of that axis.
    public var channels: Range<Int>
    /// What it takes up.
    public var element: Element
  }

  /// An operand place of an operation.
  public struct Use: Hashable, Sendable {
    /// The operation.
    public var operation: OperationID
    /// Which operand.
    public var operand: Int
  }

  /// Where an operator would have to run online because nothing can absorb the transform.
  public enum Edge: Hashable, Sendable {
    /// The value is made outside the site: its readers in the site need x·E, and so do the states that it becomes.
    case entry(Place, readers: [Use], states: [String])
    /// An operation outside the site reads the value: it needs x·E⁻¹.
    case exit(Place, Use)
    /// The graph's output of that name shows the value: it needs x·E⁻¹.
    case output(Place, name: String)
  }

  /// `role/anchor`, unique among the sites of its family; the anchor is the tensor that reads the site first.
  public internal(set) var name: String
  /// The anchor in the checkpoint, for messages.
  public let location: Location
  /// What it is about.
  public let role: SiteRole
  /// The family of its transforms.
  public let family: TransformFamily
  /// The largest group that every tie admits.
  public let group: TransformGroup
  /// Channels of the transform.
  public let width: Int
  /// Constants that the transform enters by: rows of weights, gains, biases, tables.
  public let writers: [Absorber]
  /// Constants that it leaves by: columns of weights.
  public let readers: [Absorber]
  /// Constants beside a path that it passes along.
  public let carriers: [Absorber]
  /// Values of run time that move, with what each takes.
  public let values: [(place: Place, element: Element)]
  /// Where an operator would have to run online.
  public let frontier: [Edge]
  /// Operations to adapt.
  public let adapted: [OperationID]
  /// Values that readers multiply with their constants, each once: what is quantized, and what to measure.
  public let inputs: [ValueID]

  /// True if nothing has to run online.
  public var isOffline: Bool { frontier.isEmpty }
  /// All constants that take up the transform.
  public var absorbers: [Absorber] { writers + readers + carriers }
  /// Number of operators that would run online.
  public var onlineCount: Int { frontier.count }

  /// Channel operations for each token that the online operators would cost: fast transforms for mixing, else one each.
  public var onlineOperations: Int {
    let each =
      family == .mixing
      ? width * max(1, Int.bitWidth - max(0, width - 1).leadingZeroBitCount) : width
    return onlineCount * each
  }
}
