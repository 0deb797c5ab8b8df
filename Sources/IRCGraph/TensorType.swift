public import IRCTensor

/// One extent of a tensor: a number, a named dynamic extent, or a sum of both kinds such as `past+tokens`.
public struct Dimension: Hashable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
  /// The number part.
  public let constant: Int
  /// The named parts, sorted; a name may occur more than once.
  public let names: [String]

  init(constant: Int, names: [String]) {
    self.constant = constant
    self.names = names.sorted()
  }

  /// A fixed extent.
  public static func fixed(_ extent: Int) -> Dimension { Dimension(constant: extent, names: []) }
  /// A dynamic extent, bound when the graph runs.
  public static func named(_ name: String) -> Dimension { Dimension(constant: 0, names: [name]) }
  /// The extent of two things laid end to end.
  public static func + (a: Dimension, b: Dimension) -> Dimension {
    Dimension(constant: a.constant + b.constant, names: a.names + b.names)
  }

  public init(integerLiteral value: Int) {
    self = .fixed(value)
  }

  /// The extent as a number, or nil if it is dynamic.
  public var fixed: Int? { names.isEmpty ? constant : nil }

  public var description: String {
    let parts = names + (constant != 0 || names.isEmpty ? [String(constant)] : [])
    return parts.joined(separator: "+")
  }

  /// The extent when each name has a value; nil if a name has none.
  public func value(with bindings: [String: Int]) -> Int? {
    var sum = constant
    for name in names {
      guard let value = bindings[name] else { return nil }
      sum += value
    }
    return sum
  }
}

/// Type of a value of the graph: what one element is and how far each axis goes.
///
/// `f32` stands for the real type that the graph runs in, which a test may set to Double.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// Type of one element.
  public var element: ElementType
  /// Extents, outermost first.
  public var shape: [Dimension]

  /// Makes a type.
  public init(_ element: ElementType, _ shape: [Dimension]) {
    self.element = element
    self.shape = shape
  }

  /// Number of axes.
  public var rank: Int { shape.count }

  /// The extents as numbers, or nil if one is dynamic.
  public var fixedShape: [Int]? {
    let extents = shape.compactMap(\.fixed)
    return extents.count == shape.count ? extents : nil
  }

  public var description: String {
    "\(element.rawValue)[\(shape.map(\.description).joined(separator: ", "))]"
  }
}
