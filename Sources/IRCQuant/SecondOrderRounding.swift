import IRCSupport
public import IRCTensor

/// GPTQ (arXiv 2210.17323, section 3): columns of a weight are rounded one after another, and those that are still real make up
/// for the error that each one leaves in the outputs.
///
/// Works in single precision on the transposed weight, so that a column is contiguous, in blocks of 128 columns: a kernel inside
/// a block, one matrix product for all columns behind it. Output channels do not depend on each other; runs of them go to the
/// threads, the same ones whatever the thread count.
///
/// Scales of groups are found from the weights as they have become when the first column of the group is reached; where columns
/// go in another order, or scales are given, all scales are known before (the "static groups" of the authors' code), so that the
/// codes keep the layout of the format. The values of fitted formats take the place of scales everywhere.
public struct SecondOrderRounding: Sendable {
  let spec: QuantizationSpec
  let factor: InverseCholesky
  let rule: ScaleRule
  let given: ScaleSet?

  /// Output channels that go together.
  static let run = 256
  /// Columns of a block.
  static let block = 128

  /// Prepares to round weights that read the inputs of `factor`.
  ///
  /// - Parameters:
  ///   - given: scales to use as they are; nil to find them by `rule`.
  public init(
    _ spec: QuantizationSpec, _ factor: InverseCholesky, _ rule: ScaleRule = .range,
    given: ScaleSet? = nil
  ) {
    self.spec = spec
    self.factor = factor
    self.rule = rule
    self.given = given
  }

  /// Rounds weights, f32 [out, in]. Weights of dead channels become 0.
  public func round(_ weights: Tensor) throws -> RoundedWeights {
    precondition(weights.shape.count == 2 && weights.columns == factor.width, "widths differ")
    var fixed = given
    if fixed == nil, spec.granularity == .tensor {
      fixed = try ScaleSet(fitting: weights.zeroing(factor.deadChannels), spec, rule)
    }
    let (rows, columns) = (weights.rows, weights.columns)
    let oneScale =
      fixed.map { $0.scales.count == spec.numbersPerGroup && rows * columns > 0 } ?? false
    let groups = oneScale ? 1 : spec.granularity.scales(inRowOf: columns)
    let numbers = groups * spec.numbersPerGroup
    let shape = [oneScale ? 1 : rows, numbers]
    var parts: (codes: Tensor, scales: Tensor)?
    var zeros = [Int8](repeating: 0, count: rows * groups)
    var error = 0.0
    let values = try unsafe Tensor([rows, columns], of: Float.self) { values in
      var scales: Tensor?
      let codes = try unsafe Tensor([rows, columns], of: Int8.self) { codes in
        scales = try unsafe Tensor([rows, numbers], of: Float.self) { scales in
          try unsafe zeros.withUnsafeMutableBufferPointer { zeros in
            guard let values = values.baseAddress, let codes = codes.baseAddress,
              let scales = scales.baseAddress, let zeros = zeros.baseAddress
            else { return }
            let target = unsafe RoundingTarget(
              values: SharedMutablePointer(values), codes: SharedMutablePointer(codes),
              scales: SharedMutablePointer(scales), zeros: SharedMutablePointer(zeros))
            error = try round(weights, fixed, groups: groups, into: target)
          }
        }
      }
      parts = scales.map { (codes, $0) }
    }
    guard let parts else { preconditionFailure("nothing was rounded") }
    return RoundedWeights(
      spec: spec, codes: parts.codes,
      scales: oneScale ? parts.scales.slice(rows: 0..<1).reshaped(shape) : parts.scales,
      zeros: spec.hasZeroPoints ? Tensor(shape, Array(zeros.prefix(shape[0] * shape[1]))) : nil,
      values: values, error: error)
  }

  /// Rounds runs of output channels on all threads; returns the sum of squared errors.
  private func round(
    _ weights: Tensor, _ fixed: ScaleSet?, groups: Int, into target: RoundingTarget
  ) throws -> Double {
    let rows = weights.rows
    let code = spec.kernelSpec(for: weights)
    let errors = try Parallel.map((rows + Self.run - 1) / Self.run) { index in
      let range = index * Self.run..<min(rows, (index + 1) * Self.run)
      var run = RoundingRun(self, weights.slice(rows: range), range, fixed, groups: groups, code)
      return run.run(
        into: target.advanced(
          to: range.lowerBound, weights.columns, groups, spec.numbersPerGroup))
    }
    return errors.reduce(0, +)
  }
}

/// Where codes, scales and values go, row by row; runs of rows may be written at the same time.
struct RoundingTarget: Sendable {
  let values: SharedMutablePointer<Float>
  let codes: SharedMutablePointer<Int8>
  let scales: SharedMutablePointer<Float>
  let zeros: SharedMutablePointer<Int8>

  /// The part from a row on.
  func advanced(
    to row: Int, _ columns: Int, _ groups: Int, _ numbersPerGroup: Int
  ) -> RoundingTarget {
    unsafe RoundingTarget(
      values: SharedMutablePointer(values.start + row * columns),
      codes: SharedMutablePointer(codes.start + row * columns),
      scales: SharedMutablePointer(scales.start + row * groups * numbersPerGroup),
      zeros: SharedMutablePointer(zeros.start + row * groups))
  }
}

extension Tensor {
  /// An f32 matrix with some columns set to zero; shares the storage if there are none.
  func zeroing(_ columns: [Int]) -> Tensor {
    if columns.isEmpty { return self }
    return unsafe withElements(as: Float.self) { source in
      unsafe Tensor(shape, of: Float.self) { target in
        unsafe _ = target.update(from: source)
        for row in 0..<rows {
          for column in columns { unsafe target[row * self.columns + column] = 0 }
        }
      }
    }
  }
}
