public import IRCGraph
import IRCSupport
public import IRCTensor

/// Each run of d channels along an axis times a matrix: x [..., n, ...] and matrices [B, d, d] with n = B·d·repeats.
///
/// Run b is multiplied from the right by matrices[b / repeats], or by its transpose. One matrix and no repeats change the basis of
/// the whole axis; repeats give the query heads of a group the matrix of their key head.
public struct ChannelMatmul: RealOperator {
  public static let name = "channel_matmul"

  /// Which axis is transformed.
  public let axis: Int
  /// Runs of channels that share a matrix.
  public let repeats: Int
  /// True to multiply by the transposes.
  public let isTransposed: Bool
  /// True if whoever made the matrices says that their transposes are their inverses.
  public let isOrthogonal: Bool

  /// Describes the product.
  public init(axis: Int, repeats: Int = 1, isTransposed: Bool = false, isOrthogonal: Bool = false) {
    self.axis = axis
    self.repeats = repeats
    self.isTransposed = isTransposed
    self.isOrthogonal = isOrthogonal
  }

  public init(reading attributes: inout AttributeReader) {
    axis = attributes.int("axis")
    repeats = attributes.int("repeats", in: 1...Int.max)
    isTransposed = attributes.bool("transposed")
    isOrthogonal = attributes.bool("orthogonal")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [
      ("axis", .int(axis)), ("repeats", .int(repeats)), ("transposed", .bool(isTransposed)),
      ("orthogonal", .bool(isOrthogonal)),
    ]
  }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "matrices"])
    let shape = check[1].fixedShape ?? []
    try check.expect(
      1, check[1].element == .f32 && shape.count == 3 && shape[1] == shape[2] && shape[1] > 0,
      "f32[blocks, d, d] with fixed extents")
    let channels = saturatingProduct(shape[0], shape[1], repeats)
    try check.channels(0, axis, "blocks · d · repeats = \(channels)") { $0 == channels }
    return [check[0]]
  }

  /// Linear in every other axis. With a single matrix M for the whole axis, x·T against T⁻¹·M leaves the product as it is, and
  /// M·S carries a transform of the result.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    var rule = InvarianceRule.elementwise(operands[0], .general, except: axis)
    guard repeats == 1, operands[1].shape[0] == .fixed(1) else { return rule }
    let (inner, outer) = isTransposed ? (2, 1) : (1, 2)
    rule.ties += [
      AxisTie([.operand(0, axis), .operand(1, inner)], .general, .inverseTranspose),
      AxisTie([.operand(1, outer), .result(0, axis)], .general),
    ]
    return rule
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: saturatingProduct(operands[0].elementCount, operands[1].shape[1].fixed ?? 1),
      reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { axis == 0 ? nil : [0] }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let shape = operands[0].shape
    let product = Product(
      d: operands[1].shape[1], runs: operands[1].shape[0] * repeats,
      inner: shape[(axis + 1)...].reduce(1, *), outer: shape[..<axis].reduce(1, *))
    return try unsafe withPointers(operands, as: Scalar.self) { pointers in
      let x = unsafe SharedPointer(pointers[0])
      let matrices = unsafe SharedPointer(pointers[1])
      return [
        try unsafe makeTensor(shape, of: Scalar.self) { target in
          let y = unsafe SharedMutablePointer(target)
          if product.inner == 1 {
            try multiplyRows(product, x, matrices, y)
          } else {
            try multiplyColumns(product, x, matrices, y)
          }
        }
      ]
    }
  }

  /// Extents of one evaluation.
  private struct Product: Sendable {
    /// Rows of a matrix.
    let d: Int
    /// Runs of channels along the axis.
    let runs: Int
    /// Elements between neighbouring channels.
    let inner: Int
    /// Number of axes of channels.
    let outer: Int
  }

  /// y = x·M for rows of channels, some rows of one run at a time, the same ones whatever the thread count.
  private func multiplyRows<Scalar: Real>(
    _ p: Product, _ x: SharedPointer<Scalar>, _ matrices: SharedPointer<Scalar>,
    _ y: SharedMutablePointer<Scalar>
  ) throws {
    let width = p.runs * p.d
    let rows = max(64, min(1024, (1 << 20) / p.d))
    let parts = (p.outer + rows - 1) / rows
    try Parallel.forEach(p.runs * parts) { index in
      let (run, first) = (index % p.runs, index / p.runs * rows)
      let start = first * width + run * p.d
      unsafe Scalar.multiply(
        m: min(rows, p.outer - first), n: p.d, k: p.d, x.start + start, lda: width,
        transposeA: false, matrices.start + run / repeats * p.d * p.d, ldb: p.d,
        transposeB: isTransposed, beta: 0, y.start + start, ldc: width)
    }
  }

  /// Y = Mᵀ·X where the channels are rows, some columns of one run at a time.
  private func multiplyColumns<Scalar: Real>(
    _ p: Product, _ x: SharedPointer<Scalar>, _ matrices: SharedPointer<Scalar>,
    _ y: SharedMutablePointer<Scalar>
  ) throws {
    let columns = max(64, min(1024, (1 << 20) / p.d))
    let parts = (p.inner + columns - 1) / columns
    try Parallel.forEach(p.outer * p.runs * parts) { index in
      let (block, first) = (index / parts, index % parts * columns)
      let start = block * p.d * p.inner + first
      unsafe Scalar.multiply(
        m: p.d, n: min(columns, p.inner - first), k: p.d,
        matrices.start + block % p.runs / repeats * p.d * p.d, lda: p.d,
        transposeA: !isTransposed, x.start + start, ldb: p.inner, transposeB: false, beta: 0,
        y.start + start, ldc: p.inner)
    }
  }
}
