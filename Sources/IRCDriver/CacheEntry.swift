import Foundation
package import IRCSupport

/// The bytes of an entry, mapped: they can be read for as long as the entry is held, even when it is removed meanwhile.
package struct CacheEntry: Sendable {
  /// The whole file.
  package let file: MappedFile
  /// Where the bytes begin in the file: at a multiple of 64.
  package let offset: Int
  /// How many there are.
  package let count: Int

  /// Opens an entry; nil if there is none, or it is damaged or that of another key.
  init?(_ path: String, of key: ContentKey) {
    guard let file = try? MappedFile(path: path) else { return nil }
    let size = unsafe file.bytes.count
    guard size >= CacheEntryForm.overhead, let head = CacheEntryForm.head(of: key.kind),
      unsafe file.bytes.prefix(head.count).elementsEqual(head)
    else { return nil }
    let end = size - CacheEntryForm.sealSize
    let content = unsafe UnsafeRawBufferPointer(
      rebasing: file.bytes[CacheEntryForm.headSize..<end])
    guard let seal = try? unsafe CacheEntryForm.seal(content, key),
      unsafe file.bytes[end...].elementsEqual(seal)
    else { return nil }
    self.file = file
    offset = CacheEntryForm.headSize
    count = end - offset
  }

  /// Lends the bytes.
  package func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try unsafe body(UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + count]))
  }
}

/// How an entry looks: 64 bytes that say what it is, its content, and a seal.
enum CacheEntryForm {
  static let headSize = 64
  static let sealSize = 32
  static var overhead: Int { headSize + sealSize }
  private static let magic = "irc cache entry 2 "

  /// The first bytes of an entry: a line of text; nil for a kind that is too long.
  static func head(of kind: String) -> [UInt8]? {
    var bytes = Array((magic + kind).utf8)
    guard bytes.count < headSize else { return nil }
    bytes += [UInt8](repeating: 0x20, count: headSize - 1 - bytes.count)
    return bytes + [0x0A]
  }

  /// The kind that an entry's first bytes say; nil if they are not those of an entry.
  static func kind(of head: some Collection<UInt8>) -> String? {
    guard head.count == headSize, head.starts(with: magic.utf8) else { return nil }
    let text = String(decoding: head.dropFirst(magic.utf8.count), as: UTF8.self)
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// What vouches for an entry: it belongs to this key and is complete.
  static func seal(_ content: UnsafeRawBufferPointer, _ key: ContentKey) throws -> [UInt8] {
    var hash = SHA256()
    hash.add(key.digest.bytes)
    hash.add(try unsafe SHA256.hashInPieces(content).bytes)
    return hash.digest().bytes
  }
}

/// Takes the content of an entry, a part at a time.
package struct CacheEntryWriter: ~Copyable {
  /// Bytes of content so far.
  package private(set) var count = 0
  private let descriptor: Int32
  private let shownAs: String

  init(_ descriptor: Int32, shownAs: String) {
    self.descriptor = descriptor
    self.shownAs = shownAs
  }

  /// Appends bytes.
  ///
  /// - Throws: `Diagnostic` `cache.unwritable`, for example when the disk is full.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
    try unsafe write(bytes)
    count += bytes.count
  }

  /// Appends zeros until the count is a multiple of 64.
  package mutating func align() throws {
    let zeros = [UInt8](repeating: 0, count: (64 - count % 64) % 64)
    try unsafe zeros.withUnsafeBytes { try unsafe append($0) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = unsafe bytes
    while unsafe !rest.isEmpty {
      let written = unsafe Foundation.write(descriptor, rest.baseAddress, rest.count)
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw ContentCache.unwritable(shownAs, errno) }
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
    }
  }
}
