/// How one number is stored in few bits.
public enum NumericFormat: Hashable, Sendable, CustomStringConvertible {
  /// Two's complement integer code q of `bits` bits: x = (q − zero) · scale.
  case integer(bits: Int)
  /// Code q is a place in a fixed table of values: x = values[q] · scale.
  case table(TableFormat)
  /// Code q is a place in a table of 2^bits values that are found for the tensor, a table for each group.
  case codebook(bits: Int)
  /// Bit i of the code says whether the group's factor i, found for the tensor, is added or subtracted: x = Σ ±αᵢ, plus an offset
  /// if not symmetric (binary coding: LUT-GEMM, arXiv 2206.09557, section 3.1).
  case binary(bits: Int)

  /// Finds the format that prints as `name`, as `int4` or `fp4`; nil for any other name.
  public init?(name: String) {
    guard let format = NumericFormat.all.first(where: { $0.description == name }) else {
      return nil
    }
    self = format
  }

  /// Every format, in the order that help shows.
  public static let all: [NumericFormat] =
    (2...8).reversed().map { .integer(bits: $0) } + TableFormat.allCases.map { .table($0) }
    + (2...6).reversed().map { .codebook(bits: $0) }
    + (2...4).reversed().map { .binary(bits: $0) }

  /// Name as written in YAML and IR.
  public var description: String {
    switch self {
    case .integer(let bits): "int\(bits)"
    case .table(let format): format.rawValue
    case .codebook(let bits): "codebook\(bits)"
    case .binary(let bits): "binary\(bits)"
    }
  }

  /// Bits of one stored code.
  public var bits: Int {
    switch self {
    case .integer(let bits), .codebook(let bits), .binary(let bits): bits
    case .table(let format): format.bits
    }
  }

  /// True if codes are integers, so that a product of codes is one of numbers.
  public var isInteger: Bool {
    switch self {
    case .integer: true
    case .table, .codebook, .binary: false
    }
  }

  /// True if codes stand for integers times one power of two, so that a product with integers is exact: integer codes, and tables
  /// such as that of fp4.
  public var hasLevels: Bool {
    switch self {
    case .integer: true
    case .table(let table): table.levels != nil
    case .codebook, .binary: false
    }
  }

  /// True if what codes stand for is found for each group, and no scale multiplies it.
  public var isFitted: Bool {
    switch self {
    case .integer, .table: false
    case .codebook, .binary: true
    }
  }

  /// Steps between zero and the largest magnitude of a symmetric range.
  ///
  /// Of a table, those of the uniform grid with the same mean square error over the range; of fitted formats those of the even
  /// grid that they become for numbers spread evenly.
  public var largestMagnitude: Double {
    switch self {
    case .integer(let bits): Double((1 << (bits - 1)) - 1)
    case .table(let format): format.equivalentSteps
    case .codebook(let bits), .binary(let bits): Double(1 << (bits - 1))
    }
  }
}

/// Which elements share a scale.
public enum Granularity: Hashable, Sendable, CustomStringConvertible {
  /// One scale for the whole tensor.
  case tensor
  /// One scale a row: an output channel of a weight, a token of an activation.
  case row
  /// One scale for every run of this many elements of a row; the last run may be shorter.
  case group(Int)

  public var description: String {
    switch self {
    case .tensor: "tensor"
    case .row: "row"
    case .group(let size): "group(\(size))"
    }
  }

  /// Elements of a row of `columns` that share a scale.
  public func groupWidth(of columns: Int) -> Int {
    if case .group(let size) = self { min(size, columns) } else { columns }
  }

  /// Number of scales of a row of `columns` elements (1 for `tensor`).
  public func scales(inRowOf columns: Int) -> Int {
    switch self {
    case .tensor, .row: 1
    case .group(let size): columns <= size ? 1 : 1 + (columns - 1) / size
    }
  }
}
