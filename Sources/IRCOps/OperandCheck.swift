import IRCGraph
import IRCTensor

/// The operand types of one operator, with names for messages.
///
/// A shape rule is straight-line code over these checks; each failure names the operand, its type and what would fit.
struct OperandCheck {
  /// Types that the graph offers.
  let types: [TensorType]
  private let names: [String]

  /// Elements of the largest value that a graph may hold; keeps size arithmetic far from overflow.
  static let largestCount = 1 << 40

  /// Checks how many operands there are; the last `optional` of `names` may be missing.
  init(
    _ types: [TensorType], _ names: [String], optional: Int = 0
  ) throws(OperatorError) {
    self.types = types
    self.names = names
    let allowed = names.count - optional...names.count
    guard allowed.contains(types.count) else {
      let count = optional == 0 ? "\(names.count)" : "\(allowed.lowerBound) to \(names.count)"
      let list = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
      throw OperatorError("takes \(count) operands\(list), found \(types.count)")
    }
    for index in types.indices {
      try expect(index, types[index].hasBoundedCount, "no more than 2^40 elements")
    }
  }

  /// Number of operands.
  var count: Int { types.count }

  /// Type of operand `index`.
  subscript(index: Int) -> TensorType { types[index] }

  /// Fails unless `condition` holds for operand `index`.
  func expect(
    _ index: Int, _ condition: Bool, _ expected: @autoclosure () -> String
  ) throws(OperatorError) {
    if condition { return }
    throw OperatorError(
      "operand \(index) ('\(names[index])') has type \(types[index]), expected \(expected())")
  }

  /// Fails unless operand `index` is real and has a rank in `ranks`.
  func real(_ index: Int, rank ranks: ClosedRange<Int>) throws(OperatorError) {
    let rank =
      ranks.lowerBound == ranks.upperBound
      ? "rank \(ranks.lowerBound)" : "rank \(ranks.lowerBound) or more"
    try expect(
      index, types[index].element == .f32 && ranks.contains(types[index].rank),
      "real values (f32) of \(rank)")
  }

  /// Fails unless operand `index` is real with a fixed extent at `axis` that `fits`.
  func channels(
    _ index: Int, _ axis: Int, _ expected: @autoclosure () -> String = "",
    _ fits: (Int) -> Bool = { _ in true }
  ) throws(OperatorError) {
    let type = types[index]
    let extent = type.shape.indices.contains(axis) ? type.shape[axis].fixed : nil
    let detail = expected().isEmpty ? "" : ", \(expected())"
    try expect(
      index, type.element == .f32 && extent.map(fits) ?? false,
      "real values (f32) with a fixed extent at axis \(axis)\(detail)")
  }

  /// Fails unless operand `index` has exactly this type.
  func exactly(_ index: Int, _ element: ElementType, _ shape: [Dimension]) throws(OperatorError) {
    let type = TensorType(element, shape)
    try expect(index, types[index] == type, "\(type)")
  }
}

extension TensorType {
  /// True if the fixed extents multiply to a number that size arithmetic can bear.
  var hasBoundedCount: Bool {
    var count = 1
    for dimension in shape {
      let extent = max(1, dimension.constant)
      guard dimension.constant >= 0, extent <= OperandCheck.largestCount / count else {
        return false
      }
      count *= extent
    }
    return true
  }

  /// The type itself, if it is not too large.
  func checked() throws(OperatorError) -> TensorType {
    guard hasBoundedCount else {
      throw OperatorError("the result would have type \(self), expected no more than 2^40 elements")
    }
    return self
  }
}

/// Makes a real type after checking its size.
func real(_ shape: [Dimension]) throws(OperatorError) -> TensorType {
  try TensorType(.f32, shape).checked()
}

/// Product of counts that stays at the largest number instead of overflowing.
func saturatingProduct(_ factors: Int...) -> Int {
  factors.reduce(1) { product, factor in
    let (result, overflow) = product.multipliedReportingOverflow(by: factor)
    return overflow ? Int.max : result
  }
}
