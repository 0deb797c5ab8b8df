private import Foundation
import IRCGraph
import IRCOps
import IRCTensor

extension Graph {
  /// Lets parameters of the checkpoint with the same type and the same bytes be one, as tied tensors that were saved twice are.
  ///
  /// Only matrices: small tensors gain nothing, and each keeps its own name in the comments of the C file. A tensor is held no
  /// longer than it is looked at, since one that does not lie at a multiple of its element size is a copy in memory.
  mutating func unifyEqualParameters() throws {
    var firsts: [Kind: [(value: ValueID, name: String)]] = [:]
    for (operation, parameter) in operations(of: Parameter.self) where parameter.shape.count > 1 {
      guard let tensor = try? parameters.tensor(named: parameter.name) else { continue }
      let kind = Kind(
        shape: parameter.shape, stored: parameter.stored, start: Kind.start(of: tensor))
      let same = try firsts[kind]?.first {
        try parameters.tensor(named: $0.name).hasSameBytes(as: tensor)
      }
      if let same {
        replaceUses(of: operation.result, with: same.value)
      } else {
        firsts[kind, default: []].append((operation.result, parameter.name))
      }
    }
    removeDeadOperations()
  }
}

/// What tensors must share to be worth comparing.
private struct Kind: Hashable {
  let shape: [Int]
  let stored: ElementType
  let start: [UInt8]

  static func start(of tensor: Tensor) -> [UInt8] {
    unsafe tensor.withBytes { unsafe Array($0.prefix(64)) }
  }
}

extension Tensor {
  fileprivate func hasSameBytes(as other: Tensor) -> Bool {
    guard byteCount == other.byteCount else { return false }
    return unsafe withBytes { a in
      unsafe other.withBytes { b in
        guard let first = a.baseAddress, let second = b.baseAddress else {
          return true
        }
        return unsafe first == second || memcmp(first, second, a.count) == 0
      }
    }
  }
}
