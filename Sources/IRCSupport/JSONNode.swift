import Foundation

/// A string that is compared byte by byte.
///
/// `String` calls "é" equal to "e" + combining accent; keys of a vocabulary that differ only so are different keys.
package struct ByteKey: Hashable, Sendable {
  package let string: String

  package init(_ string: String) {
    self.string = string
  }

  package static func == (first: ByteKey, second: ByteKey) -> Bool {
    let (a, b) = (first.string.utf8, second.string.utf8)
    if a.count != b.count { return false }
    let equal: Bool?? = unsafe a.withContiguousStorageIfAvailable { a in
      unsafe b.withContiguousStorageIfAvailable { b in
        guard let a = a.baseAddress, let b = b.baseAddress else { return true }
        return unsafe memcmp(a, b, first.string.utf8.count) == 0
      }
    }
    return (equal ?? nil) ?? a.elementsEqual(b)
  }

  package func hash(into hasher: inout Hasher) {
    let done: Void? = unsafe string.utf8.withContiguousStorageIfAvailable {
      unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0))
    }
    if done == nil { for byte in string.utf8 { hasher.combine(byte) } }
  }
}

/// One value of a parsed document, without the reference to the document.
struct JSONNode: Sendable {
  enum Content: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case real(Double)
    case string(String)
    case array([JSONNode])
    case object(JSONMembers)
  }

  let content: Content
  /// First byte of the value's text.
  let offset: Int
  /// One past its last byte.
  let end: Int
}

/// The members of one object in source order, with an index when there are many.
final class JSONMembers: Sendable {
  let keys: [ByteKey]
  let keyOffsets: [Int]
  let values: [JSONNode]
  private let index: [ByteKey: Int]

  /// Objects up to this size are searched in order.
  static let smallCount = 12

  init(keys: [ByteKey], keyOffsets: [Int], values: [JSONNode], index: [ByteKey: Int]) {
    self.keys = keys
    self.keyOffsets = keyOffsets
    self.values = values
    self.index = index
  }

  func position(of key: String) -> Int? {
    let key = ByteKey(key)
    return keys.count <= JSONMembers.smallCount ? keys.firstIndex(of: key) : index[key]
  }
}
