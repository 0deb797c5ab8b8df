import Foundation
import IRCSupport

extension Tensor {
  /// Bytes of the largest tensor that it makes sense to ask for: the memory of the machine.
  private static let largestByteCount = Int(
    clamping: ProcessInfo.processInfo.physicalMemory)

  /// Refuses a tensor that no memory could hold, before its allocation ends the program: sizes come from files and command lines.
  ///
  /// - Throws: `Diagnostic` `tensor.too-large`.
  public static func checkSize(_ shape: [Int], _ type: ElementType) throws {
    let byteCount = shape.reduce(type.byteCount as Int?) { count, extent in
      guard let product = count?.multipliedReportingOverflow(by: extent), !product.overflow else {
        return nil
      }
      return product.partialValue
    }
    // Zero times anything is nothing, wherever it stands.
    if shape.contains(0) || byteCount ?? .max <= largestByteCount { return }
    throw Diagnostic(
      "tensor.too-large",
      "a tensor \(type.rawValue)\(shape) does not fit into the \(largestByteCount) bytes of memory",
      hint: "fewer tokens at a time need less, as with a smaller --context; else sizes are wrong")
  }
}
