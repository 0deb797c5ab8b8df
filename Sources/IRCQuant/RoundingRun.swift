import CKernels
import IRCSupport
import IRCTensor

/// Some output channels on their way through GPTQ.
struct RoundingRun {
  private let method: SecondOrderRounding
  /// The specification as the kernels take it for the whole weight.
  private let code: irc_code_spec
  private let rows: Int
  private let columns: Int
  private let groups: Int
  private let groupWidth: Int
  /// Numbers of a group in `scale`.
  private let numbers: Int
  /// The weights as they are given, with dead channels at zero.
  private let source: Tensor
  /// Scales by group, (groups, rows, numbers), and zero points, (groups, rows).
  private var scale: [Float]
  private var zero: [Int8]
  /// True if scales are found as groups are reached.
  private let refits: Bool
  /// The group of each place.
  private let groupOfPlace: [UInt32]

  init(
    _ method: SecondOrderRounding, _ weights: Tensor, _ range: Range<Int>, _ fixed: ScaleSet?,
    groups: Int, _ code: irc_code_spec
  ) {
    self.method = method
    self.code = code
    (rows, columns) = (weights.rows, weights.columns)
    self.groups = groups
    numbers = method.spec.numbersPerGroup
    let width =
      fixed?.scales.count == numbers ? columns : method.spec.granularity.groupWidth(of: columns)
    groupWidth = width
    source = weights.zeroing(method.factor.deadChannels)
    let order = method.factor.order
    groupOfPlace = (0..<columns).map { (order?[$0] ?? UInt32($0)) / UInt32(width) }
    refits = fixed == nil && (order == nil || groups == 1)
    scale = Array(repeating: 0, count: groups * rows * numbers)
    zero = Array(repeating: 0, count: groups * rows)
    if let fixed {
      take(fixed, range)
    } else if !refits {
      fitAll()
    }
  }

  /// Takes the rows `range` of scales that are given.
  private mutating func take(_ fixed: ScaleSet, _ range: Range<Int>) {
    if fixed.scales.count == numbers {
      let group = fixed.scales.array(of: Float.self)
      scale = Array(repeatElement(group, count: rows).joined())
      zero = Array(repeating: fixed.zeros?.array(of: Int8.self)[0] ?? 0, count: rows)
      return
    }
    unsafe fixed.scales.slice(rows: range).withElements(as: Float.self) {
      guard let start = $0.baseAddress else { return }
      unsafe irc_swap_groups_f32(&scale, start, rows, groups, numbers)
    }
    guard let zeros = fixed.zeros else { return }
    unsafe zeros.slice(rows: range).withElements(as: Int8.self) {
      guard let start = $0.baseAddress else { return }
      unsafe irc_gather_columns_i8(&zero, start, groups, nil, rows, groups)
    }
  }

  /// Finds all scales from the weights as they are given.
  private mutating func fitAll() {
    var scales = scale
    var zeros = zero
    unsafe source.withElements(as: Float.self) { w in
      guard let w = w.baseAddress else { return }
      unsafe scales.withUnsafeMutableBufferPointer { scales in
        unsafe zeros.withUnsafeMutableBufferPointer { zeros in
          guard let scales = scales.baseAddress, let zeros = zeros.baseAddress else { return }
          unsafe method.rule.write(
            scales, method.spec.hasZeroPoints ? zeros : nil, of: w, stride: columns, rows: rows,
            columns: columns, code)
        }
      }
    }
    unsafe irc_swap_groups_f32(&scale, scales, rows, groups, numbers)
    unsafe irc_gather_columns_i8(&zero, zeros, groups, nil, rows, groups)
  }

  /// Finds the scale of the group that starts at `place` from the weights as they have become.
  private mutating func refit(at place: Int, _ w: UnsafePointer<Float>) {
    let width = min(groupWidth, columns - place)
    let group = Int(groupOfPlace[place]) * rows
    let hasZeros = method.spec.hasZeroPoints
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: width * rows) { matrix in
      guard let matrix = matrix.baseAddress else { return }
      // Rows and columns change places: the weights are stored column by column.
      unsafe irc_gather_columns_f32(matrix, w + place * rows, rows, nil, width, rows)
      unsafe scale.withUnsafeMutableBufferPointer { scale in
        unsafe zero.withUnsafeMutableBufferPointer { zero in
          guard let scale = scale.baseAddress, let zero = zero.baseAddress else { return }
          unsafe method.rule.write(
            scale + group * numbers, hasZeros ? zero + group : nil, of: matrix, stride: width,
            rows: rows,
            columns: width, code.singleGroup)
        }
      }
    }
  }

  /// The end of the block that starts at `start`: a group that is found as it is reached must not begin inside a block and end
  /// behind it, where its weights are not up to date.
  private func blockEnd(after start: Int) -> Int {
    let end = min(columns, start + SecondOrderRounding.block)
    guard refits, end < columns else { return end }
    let group = (end - 1) / groupWidth * groupWidth
    return group > start && group + groupWidth > end ? group : end
  }

  /// Rounds all columns; returns the sum of squared errors.
  mutating func run(into target: RoundingTarget) -> Double {
    let n = columns
    let w = UnsafeMutablePointer<Float>.allocate(capacity: max(1, n * rows))
    let error = UnsafeMutablePointer<Float>.allocate(
      capacity: max(1, SecondOrderRounding.block * rows))
    let tables = unsafe numbers == 1 ? nil : makeTables()
    defer {
      unsafe w.deallocate()
      unsafe error.deallocate()
      unsafe tables?.deallocate()
    }
    var codes = [Int8](repeating: 0, count: n * rows)
    var total = 0.0
    unsafe source.withElements(as: Float.self) { weights in
      guard let weights = weights.baseAddress else { return }
      unsafe irc_gather_columns_f32(w, weights, n, method.factor.order, rows, n)
    }
    unsafe method.factor.upper.withElements(as: Float.self) { upper in
      guard let u = upper.baseAddress else { return }
      unsafe codes.withUnsafeMutableBufferPointer { codes in
        guard let codes = codes.baseAddress else { return }
        var start = 0
        while start < n {
          let end = blockEnd(after: start)
          unsafe total += roundBlock(start..<end, codes, w, error, u, tables)
          unsafe Float.multiply(
            m: n - end, n: rows, k: end - start, u + start * n + end, lda: n, transposeA: true,
            error, ldb: rows, transposeB: false, beta: 1, w + end * rows, ldc: rows)
          start = end
        }
      }
    }
    write(codes, to: target)
    return total
  }

  /// Room for the tables of fitted values that are in use together.
  private func makeTables() -> UnsafeMutablePointer<irc_code_table> {
    UnsafeMutablePointer<irc_code_table>.allocate(capacity: Int(IRC_ROW_TILE))
  }

  /// Rounds the columns of a block, stopping wherever a scale has to be found.
  private mutating func roundBlock(
    _ range: Range<Int>, _ codes: UnsafeMutablePointer<Int8>, _ w: UnsafeMutablePointer<Float>,
    _ error: UnsafeMutablePointer<Float>, _ u: UnsafePointer<Float>,
    _ tables: UnsafeMutablePointer<irc_code_table>?
  ) -> Double {
    var total = 0.0
    var start = range.lowerBound
    while start < range.upperBound {
      var end = range.upperBound
      if refits {
        if start.isMultiple(of: groupWidth) { unsafe refit(at: start, w) }
        end = min(end, (start / groupWidth + 1) * groupWidth)
      }
      unsafe total += groupOfPlace.withUnsafeBufferPointer { group in
        guard let group = group.baseAddress else { return 0 }
        return unsafe irc_round_columns(
          codes + start * rows, w + start * rows, error + (start - range.lowerBound) * rows,
          u + start * columns + start, columns, scale, method.spec.hasZeroPoints ? zero : nil,
          group + start, rows, end - start, range.upperBound - start, code.singleGroup, tables)
      }
      start = end
    }
    return total
  }

  /// Brings codes and scales back into rows and decodes them.
  private func write(_ columnCodes: [Int8], to target: RoundingTarget) {
    let zeros = unsafe method.spec.hasZeroPoints ? target.zeros.start : nil
    unsafe irc_scatter_columns_i8(
      target.codes.start, columns, columnCodes, method.factor.order, rows, columns)
    unsafe irc_swap_groups_f32(target.scales.start, scale, groups, rows, numbers)
    if let zeros = unsafe zeros {
      unsafe irc_gather_columns_i8(zeros, zero, rows, nil, groups, rows)
    }
    let spec = groups == 1 ? code.singleGroup : code
    unsafe irc_decode_rows(
      target.values.start, columns, target.codes.start, columns, target.scales.start, zeros, rows,
      columns, spec)
  }
}
