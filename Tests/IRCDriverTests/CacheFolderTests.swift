import Foundation
import IRCDriver
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Folder of the cache")
struct CacheFolderTests {
  private func key(_ name: String, _ kind: String = "test 1") -> ContentKey {
    ContentKey(kind, ["name": name])
  }

  /// Lets a file look as if it was last used so many seconds ago.
  private func age(_ path: String, _ seconds: Int) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -Double(seconds))], ofItemAtPath: path)
  }

  @Test("Entries are written a part at a time, and read where they are mapped")
  func streaming() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path)
    let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try cache.put(byteCount: bytes.count, for: key("a")) { writer in
      bytes[..<10].withUnsafeBytes { part in #expect(throws: Never.self) { try writer.append(part) }
      }
      #expect(writer.count == 10)
      try bytes[10...].withUnsafeBytes { try writer.append($0) }
    }
    let entry = try #require(cache.entry(key("a")))
    #expect(entry.offset.isMultiple(of: 64) && entry.count == bytes.count)
    _ = cache.clear()
    #expect(cache.get(key("a")) == nil)
    // What is held can be read all the same.
    #expect(entry.withBytes { $0.elementsEqual(bytes) })
  }

  @Test("A writer that fails leaves nothing")
  func failing() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path)
    #expect(throws: Diagnostic.self) {
      try cache.put(byteCount: 3, for: key("a")) { writer in
        try [UInt8](repeating: 1, count: 3).withUnsafeBytes { try writer.append($0) }
        throw Diagnostic("test.stop", "enough")
      }
    }
    #expect(cache.files().isEmpty)
  }

  @Test("Entries are removed by age")
  func clearing() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path)
    let stranger = try folder.write("ab/notes.txt", "mine")
    for name in ["a", "b", "c"] { try cache.put([1], for: key(name)) }
    let files = cache.files().map(\.path)
    try age(files[0], 90)
    try age(files[1], 7200)
    #expect(cache.clear(olderThan: 3600).entries == 1)
    #expect(cache.files().map(\.path) == [files[0], files[2]])
    let rest = cache.clear()
    #expect(rest.entries == 2 && rest.bytes == 2 * 97)
    #expect(FileManager.default.fileExists(atPath: stranger))
  }

  @Test("What killed processes left half-written goes after an hour")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    try ContentCache(directory: folder.path).put([1], for: key("a"))
    let path = ContentCache(directory: folder.path).files()[0].path as NSString
    func partial(_ number: Int) throws -> String {
      let name = "\(path.deletingLastPathComponent)/.\(path.lastPathComponent).\(number).1.partial"
      try Data([1, 2]).write(to: URL(fileURLWithPath: name))
      return name
    }
    let (old, new) = (try partial(1), try partial(2))
    try age(old, 3700)
    #expect(CacheReport(of: ContentCache(directory: folder.path)).text.contains("unfinished"))
    try ContentCache(directory: folder.path).put([1], for: key("b"))
    #expect(!FileManager.default.fileExists(atPath: old))
    #expect(FileManager.default.fileExists(atPath: new))
  }

  @Test("What another process is writing stays where room is made, and where everything is cleared")
  func unfinished() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path, limit: 4000)
    try cache.put([1], for: key("a"))
    let path = cache.files()[0].path as NSString
    let partial = "\(path.deletingLastPathComponent)/.\(path.lastPathComponent).1.1.partial"
    try Data(repeating: 1, count: 3000).write(to: URL(fileURLWithPath: partial))
    // The oldest of all, and yet not old enough.
    try age(partial, 3000)
    for name in ["b", "c", "d"] {
      try cache.put([UInt8](repeating: 1, count: 900), for: key(name))
    }
    #expect(FileManager.default.fileExists(atPath: partial))
    _ = cache.clear()
    _ = cache.clear(olderThan: 60)
    #expect(cache.files().map(\.path) == [partial])
    try age(partial, 3700)
    #expect(cache.clear().entries == 1)
  }

  @Test("Processes that share a folder keep to the limit together")
  func sharedLimit() throws {
    let folder = try TemporaryFolder()
    let limit = 16_000
    let caches = (0..<2).map { _ in ContentCache(directory: folder.path, limit: limit) }
    let bytes = [UInt8](repeating: 1, count: 404)
    for number in 0..<120 { try caches[number % 2].put(bytes, for: key("\(number)")) }
    let sum = caches[0].files().reduce(0) { $0 + $1.bytes }
    // Each may have added a sixteenth that the other does not know of.
    #expect(sum <= limit + limit / 8, "\(sum)")
  }

  @Test("The report counts by kind, without versions")
  func report() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path, limit: 1 << 20)
    try cache.put([1], for: key("a", "one 1"))
    try cache.put([1, 2], for: key("b", "one 2"))
    try cache.put([1, 2, 3], for: key("c", "other kind 13"))
    try folder.write("ab/\(String(repeating: "0", count: 62))", "no entry")
    let json = try JSONValue(
      parsing: CacheReport(of: cache).json.serialized(), path: "report")
    let kinds = try json["kinds"].array().map {
      try "\($0["kind"].string()) \($0["entries"].int()) \($0["bytes"].int())"
    }
    #expect(kinds == ["one 2 195", "other kind 1 99", "unreadable 1 8"])
    #expect(try json["entries"].int() == 4)
  }

  @Test("A kind that no head has room for is not kept")
  func longKind() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path)
    let long = key("a", String(repeating: "k", count: 60))
    try cache.put([1], for: long)
    #expect(cache.get(long) == nil && cache.files().isEmpty)
  }

  @Test("Sizes and spans of time as people write them")
  func sizes() {
    let sizes = ["0", "500", "3k", "500M", "20G", "1T"].map { ByteSize($0)?.bytes }
    #expect(sizes == [0, 500, 3072, 500 << 20, 20 << 30, 1 << 40])
    for wrong in ["", "G", "-1", "1.5G", "1GB", "much", "99999999999T", "１"] {
      #expect(ByteSize(wrong) == nil, "\(wrong)")
    }
    #expect(
      [0, 1023, 1024, 1536 << 20].map(ByteSize.text) == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB"])
    let spans = ["0s", "90s", "2m", "3h", "7d", "2w"].map(Duration.seconds(in:))
    #expect(spans == [0, 90, 120, 10_800, 604_800, 1_209_600])
    for wrong in ["", "7", "d", "-7d", "7 d", "1.5h", "99999999999999999999d"] {
      #expect(Duration.seconds(in: wrong) == nil, "\(wrong)")
    }
  }

  @Test("Where and how much is the environment's to say")
  func standard() throws {
    #expect(try ContentCache.standard(in: ["IRC_CACHE_DIR": "x"])?.limit == 5 << 30)
    #expect(
      try ContentCache.standard(in: ["IRC_CACHE_DIR": "x", "IRC_CACHE_SIZE": "2G"])?.limit == 2
        << 30)
    #expect(try ContentCache.standard(in: ["IRC_CACHE_DIR": "x", "IRC_CACHE_SIZE": "0"]) == nil)
    #expect(try ContentCache.standard(in: [:]) == nil)
    #expect(throws: Diagnostic.self) {
      try ContentCache.standard(in: ["IRC_CACHE_DIR": "x", "IRC_CACHE_SIZE": "2 G"])
    }
  }

  @Test("Digests of large files are kept, unless the file has just changed")
  func fileDigests() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.file("cache"))
    let bytes = [UInt8](repeating: 3, count: 2 << 20)
    let path = try folder.write("large", bytes)
    _ = try FileDigests.digest(of: path, knownTo: cache)
    #expect(cache.files().isEmpty)
    Thread.sleep(forTimeInterval: 2.2)
    // Another file, since this process knows the first one now.
    let second = try folder.write("second", bytes)
    #expect(
      FileIdentity(path: second)?.isSettled == false && FileIdentity(path: path)?.isSettled == true)
    Thread.sleep(forTimeInterval: 2.2)
    let digest = try FileDigests.digest(of: second, knownTo: cache)
    #expect(cache.files().count == 1)
    #expect(
      SHA256.Digest(digest.description) == digest && SHA256.Digest(bytes: digest.bytes) == digest)
    #expect(SHA256.Digest("00") == nil && SHA256.Digest(bytes: [0]) == nil)
    #expect(SHA256.Digest(String(repeating: "+1", count: 32)) == nil)
  }
}
