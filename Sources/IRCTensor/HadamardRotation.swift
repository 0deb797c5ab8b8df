import CKernels
private import IRCSupport

/// The orthogonal matrix R = diag(signs)·H / √n, which acts on row vectors as x' = x·R.
///
/// Without a seed there are no signs. Spreads what single channels hold evenly over all of them (QuaRot, arXiv 2404.00456,
/// section 3).
public struct HadamardRotation: Hashable, Sendable {
  /// The matrix H.
  public let hadamard: Hadamard
  /// Names the random signs; nil for none.
  public let seed: Int?

  /// Number of channels.
  public var order: Int { hadamard.order }

  /// The rotation of that many channels; nil if there is no Hadamard matrix of the order.
  public init?(order: Int, seed: Int?) {
    guard let hadamard = Hadamard(order: order) else { return nil }
    self.hadamard = hadamard
    self.seed = seed
  }

  /// True where a channel changes its sign before H; bits of the generator that the seed names.
  public var isNegated: [Bool] {
    guard let seed else { return Array(repeating: false, count: order) }
    let numbers = RandomNumbers(seed: UInt64(bitPattern: Int64(seed)))
    return (0..<order).map { numbers.bits($0) >> 63 == 1 }
  }

  /// R itself, f64 [n, n].
  public var matrix: Tensor {
    let scale = 1 / Double(order).squareRoot()
    let (entries, isNegated) = (hadamard.matrix.array(of: Double.self), isNegated)
    return Tensor(
      [order, order],
      entries.indices.map { entries[$0] * (isNegated[$0 / order] ? -scale : scale) })
  }

  /// Multiplies every run of n channels along an axis from the right by R, or by Rᵀ.
  ///
  /// - Precondition: `x` holds f32 or f64, and its extent at `axis` is a multiple of the order.
  public func apply(to x: Tensor, axis: Int, isTransposed: Bool) throws -> Tensor {
    precondition(x.shape[axis].isMultiple(of: order), "the axis is no multiple of the order")
    let tables = HadamardTables(self, isTransposed: isTransposed)
    switch x.elementType {
    case .f32: return try tables.transform(x, axis, Float.self)
    case .f64: return try tables.transform(x, axis, Double.self)
    case .f16, .bf16, .i64, .i32, .i8, .u8:
      preconditionFailure("a Hadamard transform of \(x.elementType)")
    }
  }

  /// Rows of `width` numbers times R, one run of n after the other, from one memory to another or in place, on this thread.
  ///
  /// - Precondition: both hold the same number of rows, and `width` is a multiple of the order.
  public func transformRows(
    of width: Int, from source: UnsafeBufferPointer<Float>,
    to target: UnsafeMutableBufferPointer<Float>, isTransposed: Bool = false
  ) {
    precondition(width.isMultiple(of: order), "a row is no multiple of the order")
    precondition(source.count == target.count && source.count.isMultiple(of: width))
    guard let from = source.baseAddress, let to = target.baseAddress else { return }
    let tables = HadamardTables(self, isTransposed: isTransposed)
    unsafe tables.rows(Ends(source: from, target: to), count: source.count / width, width)
  }
}

/// The kernels of one precision.
private protocol HadamardElement: TensorElement {
  /// Rows that follow each other without a gap.
  static func rows(
    _ target: UnsafeMutablePointer<Self>, _ source: UnsafePointer<Self>, count: Int, width: Int,
    _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Self>)
  /// A few columns of rows that are `stride` apart.
  static func columns(
    _ target: UnsafeMutablePointer<Self>, _ source: UnsafePointer<Self>, stride: Int, width: Int,
    _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Self>)
}

extension Float: HadamardElement {
  static func rows(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, count: Int, width: Int,
    _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    unsafe irc_hadamard_f32(target, source, width, count, width, plan, scratch)
  }

  static func columns(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, stride: Int, width: Int,
    _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    unsafe irc_hadamard_columns_f32(target, stride, source, stride, width, plan, scratch)
  }
}

extension Double: HadamardElement {
  static func rows(
    _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, count: Int, width: Int,
    _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Double>
  ) {
    unsafe irc_hadamard_f64(target, source, width, count, width, plan, scratch)
  }

  static func columns(
    _ target: UnsafeMutablePointer<Double>, _ source: UnsafePointer<Double>, stride: Int,
    width: Int, _ plan: UnsafePointer<irc_hadamard>, _ scratch: UnsafeMutablePointer<Double>
  ) {
    unsafe irc_hadamard_columns_f64(target, stride, source, stride, width, plan, scratch)
  }
}

/// Addresses that several threads share.
///
/// SAFETY: made from tensors that outlive the parallel loop, whose pieces write apart from each other.
@safe
private struct Ends<Scalar>: @unchecked Sendable {
  let source: UnsafePointer<Scalar>
  let target: UnsafeMutablePointer<Scalar>
}

extension HadamardTables {
  fileprivate func transform<Scalar: HadamardElement>(
    _ x: Tensor, _ axis: Int, _ scalar: Scalar.Type
  ) throws -> Tensor {
    let inner = x.shape[(axis + 1)...].reduce(1, *)
    return try unsafe x.withElements(as: Scalar.self) { source in
      try unsafe Tensor(x.shape, of: Scalar.self) { target in
        guard !target.isEmpty, let source = source.baseAddress, let target = target.baseAddress
        else { return }
        let ends = unsafe Ends(source: source, target: target)
        if inner == 1 {
          try transformRows(ends, rows: x.count / x.shape[axis], x.shape[axis])
        } else {
          try transformColumns(ends, blocks: x.count / inner / order, inner)
        }
      }
    }
  }

  private func transformRows<Scalar: HadamardElement>(
    _ ends: Ends<Scalar>, rows: Int, _ width: Int
  ) throws {
    try Parallel.forChunks(of: rows, chunk: max(1, (1 << 16) / width)) { range in
      let start = range.lowerBound * width
      self.rows(
        unsafe Ends(source: ends.source + start, target: ends.target + start), count: range.count,
        width)
    }
  }

  fileprivate func rows<Scalar: HadamardElement>(_ ends: Ends<Scalar>, count: Int, _ width: Int) {
    unsafe withPlan { plan in
      unsafe withScratch(irc_hadamard_scratch(plan)) { scratch in
        unsafe Scalar.rows(ends.target, ends.source, count: count, width: width, plan, scratch)
      }
    }
  }

  /// Runs of neighbouring columns of each block, a few at a time.
  private func transformColumns<Scalar: HadamardElement>(
    _ ends: Ends<Scalar>, blocks: Int, _ inner: Int
  ) throws {
    let width = Int(IRC_HADAMARD_COLUMNS)
    let runs = (inner + width - 1) / width
    try Parallel.forChunks(of: blocks * runs, chunk: max(1, 4096 / order)) { range in
      unsafe withPlan { plan in
        unsafe withScratch(irc_hadamard_column_scratch(plan)) { scratch in
          for index in range {
            let column = index % runs * width
            let start = index / runs * order * inner + column
            unsafe Scalar.columns(
              ends.target + start, ends.source + start, stride: inner,
              width: min(width, inner - column), plan, scratch)
          }
        }
      }
    }
  }
}

private func withScratch<Scalar>(_ count: Int, _ body: (UnsafeMutablePointer<Scalar>) -> Void) {
  let scratch = UnsafeMutablePointer<Scalar>.allocate(capacity: max(1, count))
  defer { unsafe scratch.deallocate() }
  unsafe body(scratch)
}
