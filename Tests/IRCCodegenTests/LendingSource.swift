import IRCGraph
import IRCSupport
import IRCTensor
import IRCTestSupport
import Synchronization

/// Parameters that are made anew at each request, as misaligned ones of a checkpoint are, with a count of those that are alive.
final class LendingSource: ParameterSource {
  /// A tensor that was lent.
  private struct Loan {
    weak var file: MappedFile?
  }

  private let folder: TemporaryFolder
  private let shape: [Int]
  private let loans = Mutex<(open: [Loan], peak: Int)>(([], 0))

  /// Largest number of tensors that were alive at once.
  var peak: Int { loans.withLock { $0.peak } }

  /// f32 tensors of one shape.
  init(_ names: [String], _ shape: [Int]) throws {
    folder = try TemporaryFolder()
    self.shape = shape
    for (index, name) in names.enumerated() {
      let random = RandomNumbers(seed: UInt64(index))
      let values = (0..<shape.reduce(1, *)).map { Float(random.uniform($0)) - 0.5 }
      try folder.write(name, values.withUnsafeBytes { Array($0) })
    }
  }

  func tensor(named name: String) throws -> Tensor {
    let file = try MappedFile(path: folder.file(name))
    loans.withLock {
      $0.open = $0.open.filter { $0.file != nil } + [Loan(file: file)]
      $0.peak = max($0.peak, $0.open.count)
    }
    return Tensor(mapping: file, at: 0, shape: shape, .f32)
  }
}
