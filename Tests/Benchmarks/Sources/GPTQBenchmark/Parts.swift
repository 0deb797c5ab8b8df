import CBLAS
import Foundation
import IRCTensor

/// Seconds that the processor has spent on this program: other work on the machine does not count.
func processorSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

/// What the dense algebra of GPTQ costs by itself: plain calls of BLAS and LAPACK on one thread.
struct Parts {
  private let numbers: [Float]
  private var results: [Float]

  /// - Parameter size: the largest number of elements of a matrix.
  init(size: Int) {
    let random = RandomNumbers(seed: 3)
    numbers = (0..<size).map { Float(random.uniform($0) - 0.5) }
    results = [Float](repeating: 0, count: size)
    openblas_set_num_threads(1)
  }

  /// Seconds of forward products, second moments, factors, updates behind blocks and inside them, for a whole layer; what goes
  /// window by window is measured on one window.
  mutating func measure(_ layer: Layer) -> [Double] {
    var sums = [Double](repeating: 0, count: 5)
    let (windows, window) = (Double(layer.windows.count), layer.windows[0].count)
    for (input, outputs) in layer.linears {
      for output in outputs {
        sums[0] += windows * product(tokens: window, inputs: input, outputs: output)
        sums[3] += updates(inputs: input, outputs: output)
        sums[4] += columns(inputs: input, outputs: output)
      }
      sums[1] += windows * moment(tokens: window, inputs: input)
      sums[2] += factor(inputs: input)
    }
    return sums
  }

  private func seconds(_ body: () -> Void) -> Double {
    let start = processorSeconds()
    body()
    return processorSeconds() - start
  }

  /// x·Wᵀ for some tokens.
  private mutating func product(tokens: Int, inputs: Int, outputs: Int) -> Double {
    seconds {
      cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, Int32(tokens), Int32(outputs), Int32(inputs), 1,
        numbers, Int32(inputs), numbers, Int32(inputs), 0, &results, Int32(outputs))
    }
  }

  /// XᵀX, the upper half.
  private mutating func moment(tokens: Int, inputs: Int) -> Double {
    seconds {
      cblas_ssyrk(
        CblasRowMajor, CblasUpper, CblasTrans, Int32(inputs), Int32(tokens), 1, numbers,
        Int32(inputs), 1, &results, Int32(inputs))
    }
  }

  /// Cholesky decomposition and triangular inverse in double precision.
  private func factor(inputs: Int) -> Double {
    var (size, information) = (Int32(inputs), Int32(0))
    var matrix = [Double](repeating: 0.001, count: inputs * inputs)
    for index in 0..<inputs { matrix[index * inputs + index] = 1 }
    return seconds {
      dpotrf_("U", &size, &matrix, &size, &information, 1)
      dtrtri_("U", "N", &size, &matrix, &size, &information, 1, 1)
    }
  }

  /// All updates behind blocks of 128 columns.
  private mutating func updates(inputs: Int, outputs: Int) -> Double {
    seconds {
      for start in stride(from: 0, to: inputs - 128, by: 128) {
        cblas_sgemm(
          CblasRowMajor, CblasTrans, CblasNoTrans, Int32(inputs - start - 128), Int32(outputs), 128,
          1, numbers, Int32(inputs), numbers, Int32(outputs), 1, &results, Int32(outputs))
      }
    }
  }

  /// Updates inside blocks: each column is added to half a block of others on average.
  private mutating func columns(inputs: Int, outputs: Int) -> Double {
    let numbers = numbers
    return results.withUnsafeMutableBufferPointer { target in
      guard let y = target.baseAddress else { return 0 }
      let start = processorSeconds()
      for _ in 0..<inputs {
        for other in 0..<64 {
          cblas_saxpy(Int32(outputs), 0.001, numbers, 1, y + other * outputs, 1)
        }
      }
      return processorSeconds() - start
    }
  }
}
