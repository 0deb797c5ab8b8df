import Foundation
import IRCSupport
import IRCTensor

/// Tensors with something to say about them, as an entry of the cache.
///
/// The entry begins with the length of a JSON text as 8 bytes, lowest first, and that text; each tensor begins at a multiple of 64 behind
/// it. Tensors that come out are windows of the entry, mapped and not copied.
struct TensorBundle {
  /// One of the tensors.
  struct Item {
    var name: String
    var tensor: Tensor
    var fingerprint: SHA256.Digest
  }

  /// What is said about them.
  var note: JSON
  /// The tensors, in order.
  var items: [Item]

  init(_ note: JSON, _ items: [Item]) {
    self.note = note
    self.items = items
  }

  /// Keeps the bundle under a key.
  ///
  /// - Throws: `Diagnostic` `cache.unwritable`.
  func put(into cache: ContentCache, for key: ContentKey) throws {
    var offset = 0
    var list: [JSON] = []
    for item in items {
      list.append(
        .object([
          ("name", .string(item.name)), ("type", .string(item.tensor.elementType.rawValue)),
          ("shape", .array(item.tensor.shape.map { .integer($0) })), ("offset", .integer(offset)),
          ("fingerprint", .string(item.fingerprint.description)),
        ]))
      offset = Self.aligned(offset + item.tensor.byteCount)
    }
    let json = JSON.object([("note", note), ("tensors", .array(list))])
    let text = Array(json.serialized().utf8)
    try cache.put(byteCount: Self.start(behind: text.count) + offset, for: key) { writer in
      let count = UInt64(text.count).littleEndian
      try unsafe withUnsafeBytes(of: count) { try unsafe writer.append($0) }
      try unsafe text.withUnsafeBytes { try unsafe writer.append($0) }
      for item in items {
        try writer.align()
        try unsafe item.tensor.withBytes { try unsafe writer.append($0) }
      }
    }
  }

  /// The tensors of an entry, and what is said about them; nil if it is no bundle.
  static func read(_ entry: CacheEntry) -> (note: JSONValue, items: [Item])? {
    let prefix = 8
    guard entry.count >= prefix else { return nil }
    let length = unsafe entry.withBytes {
      unsafe UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
    }
    guard let length = Int(exactly: length), length <= entry.count - prefix else { return nil }
    let text = unsafe entry.withBytes { unsafe [UInt8]($0[prefix..<prefix + length]) }
    let start = start(behind: length)
    do {
      let json = try JSONValue(parsing: text, path: "cache")
      var items: [Item] = []
      for item in try json["tensors"].array() {
        let name = try item["name"].string()
        let shape = try item["shape"].array().map { try $0.int(in: 0...) }
        let offset = try start + item["offset"].int(in: 0...)
        guard let type = ElementType(rawValue: try item["type"].string()),
          let fingerprint = SHA256.Digest(try item["fingerprint"].string()),
          offset + shape.reduce(1, *) * type.byteCount <= max(entry.count, start)
        else { return nil }
        let tensor =
          shape.contains(0)
          ? Tensor(zeros: shape, type)
          : Tensor(mapping: entry.file, at: entry.offset + offset, shape: shape, type)
        items.append(Item(name: name, tensor: tensor, fingerprint: fingerprint))
      }
      return (try json["note"], items)
    } catch {
      return nil
    }
  }

  private static func start(behind text: Int) -> Int { aligned(8 + text) }

  private static func aligned(_ count: Int) -> Int { (count + 63) / 64 * 64 }
}
