import IRCGraph
import IRCQuant
import IRCTensor

/// Codes with their scales and zero points.
typealias QuantizedTensor = (codes: Tensor, scale: Tensor, zero: Tensor?)

/// Weights of a table as the integers that their codes stand for, with scales to match; others as they are.
func levels(_ w: QuantizedTensor, _ spec: QuantizationSpec) -> QuantizedTensor {
  guard case .table(let table) = spec.format, let levels = table.levels else { return w }
  let mask = levels.values.count - 1
  let integers = unsafe withPointers([w.codes], as: Int8.self) { pointers in
    let source = unsafe pointers[0]
    return unsafe makeTensor(w.codes.shape, of: Int8.self) { target in
      for index in 0..<w.codes.count {
        unsafe target[index] = levels.values[Int(source[index]) & mask]
      }
    }
  }
  let scales = w.scale.converted(to: .single).array(of: Float.self).map { $0 * levels.step }
  return (integers, Tensor(w.scale.shape, scales), nil)
}

/// The reference of `IntegerLinear`: matrix products of whole numbers, which floating point computes exactly while sums stay
/// below 2^24, and the float steps in the kernel's order.
func integerLinear(
  _ x: QuantizedTensor, _ w: QuantizedTensor, _ bias: Tensor?, groups granularity: Granularity
) -> Tensor {
  let (tokens, inputs, outputs) = (x.codes.rows, x.codes.columns, w.codes.shape[0])
  let hasOneScale = w.scale.count == 1
  let scales = w.scale.converted(to: .single)
  let groups = hasOneScale ? 1 : scales.columns
  var size = inputs
  if !hasOneScale, case .group(let length) = granularity { size = min(length, inputs) }

  let left = centred(x.codes, x.zero, size: inputs)
  let right = centred(w.codes, w.zero, size: size)
  let xScales = x.scale.converted(to: .single)
  return unsafe withPointers(
    [left, right, scales, xScales] + (bias.map { [$0] } ?? []), as: Float.self
  ) { pointers in
    let (left, right, scale, xScale) = unsafe (pointers[0], pointers[1], pointers[2], pointers[3])
    let offset = unsafe bias == nil ? nil : pointers[4]
    let sums = UnsafeMutablePointer<Float>.allocate(capacity: max(1, tokens * outputs))
    defer { unsafe sums.deallocate() }
    return unsafe makeTensor([tokens, outputs], of: Float.self) { y in
      for group in 0..<groups {
        let columns = group * size..<min(inputs, (group + 1) * size)
        unsafe multiplyExactly(
          left, right, columns, tokens: tokens, outputs: outputs, stride: inputs, into: sums)
        for token in 0..<tokens {
          let row = token * outputs
          for output in 0..<outputs {
            let step = unsafe scale[hasOneScale ? 0 : output * groups + group]
            unsafe y[row + output] = y[row + output] + sums[row + output] * step
          }
        }
      }
      for token in 0..<tokens {
        let row = token * outputs
        let factor = unsafe xScale[xScales.count == 1 ? 0 : token]
        for output in 0..<outputs {
          let value = unsafe y[row + output] * factor
          unsafe y[row + output] = unsafe offset.map { unsafe value + $0[output] } ?? value
        }
      }
    }
  }
}

/// Float of the exact integer product of some columns.
///
/// |code − zero| ≤ 255, so 256 columns sum to less than 2^24; longer groups add up such pieces as integers.
private func multiplyExactly(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, _ columns: Range<Int>,
  tokens: Int, outputs: Int, stride: Int, into sums: UnsafeMutablePointer<Float>
) {
  let piece = 256
  func multiply(_ range: Range<Int>) {
    unsafe Float.multiply(
      m: tokens, n: outputs, k: range.count, left + range.lowerBound, lda: stride,
      transposeA: false, right + range.lowerBound, ldb: stride, transposeB: true, beta: 0, sums,
      ldc: outputs)
  }
  if columns.count <= piece { return multiply(columns) }
  let count = tokens * outputs
  let totals = UnsafeMutablePointer<Int32>.allocate(capacity: max(1, count))
  defer { unsafe totals.deallocate() }
  unsafe totals.initialize(repeating: 0, count: count)
  for start in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: piece) {
    multiply(start..<min(columns.upperBound, start + piece))
    // Wraps as the kernel's 32-bit sums do, beyond 33,000 columns of the largest codes.
    for index in 0..<count { unsafe totals[index] &+= Int32(sums[index]) }
  }
  for index in 0..<count { unsafe sums[index] = unsafe Float(totals[index]) }
}

/// code − zero as floats; zero points belong to runs of `size` columns of a row, or to everything if there is one.
private func centred(_ codes: Tensor, _ zero: Tensor?, size: Int) -> Tensor {
  guard let zero else { return codes.converted(to: .single) }
  let zeros = zero.array(of: Int8.self)
  let (rows, columns) = (codes.rows, codes.columns)
  let groups = zeros.count == 1 ? 0 : zero.columns
  return unsafe withPointers([codes], as: Int8.self) { pointers in
    let source = unsafe pointers[0]
    return unsafe makeTensor(codes.shape, of: Float.self) { target in
      for row in 0..<rows {
        for start in stride(from: 0, to: columns, by: max(1, size)) {
          let offset = Int32(zeros[groups == 0 ? 0 : row * groups + start / size])
          for column in start..<min(columns, start + size) {
            let index = row * columns + column
            unsafe target[index] = Float(Int32(source[index]) - offset)
          }
        }
      }
    }
  }
}
