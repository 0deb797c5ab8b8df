import Foundation
import IRCDriver
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Content cache")
struct ContentCacheTests {
  private func key(_ name: String) -> ContentKey { ContentKey("test 1", ["name": name]) }

  /// The only file below a folder that a cache filled.
  private func entry(in folder: TemporaryFolder) throws -> String {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    let files = paths.filter { $0.contains("/") }
    #expect(files.count == 1)
    return folder.file(try #require(files.first))
  }

  @Test("What was put is found, by its key alone and by other processes' caches")
  func putAndGet() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.file("deep/cache"))
    #expect(cache.get(key("a")) == nil)
    try cache.put([1, 2, 3], for: key("a"))
    try cache.put([], for: key("b"))
    #expect(cache.get(key("a")) == [1, 2, 3])
    #expect(cache.get(key("b")) == [])
    #expect(cache.get(key("c")) == nil)
    let other = ContentCache(directory: folder.file("deep/cache"))
    try other.put([4], for: key("a"))
    #expect(cache.get(key("a")) == [4])
  }

  @Test("No two lists of parts have one key")
  func keys() {
    let keys = [
      ContentKey("k", ["a": "bc"]), ContentKey("k", ["ab": "c"]), ContentKey("ka", ["": "bc"]),
      ContentKey("k", ["a": "b", "": "c"]), ContentKey("k", ["a": "bc", "": ""]),
      ContentKey("k", [:]), ContentKey("k1:a", ["": "bc"]), ContentKey("k", ["a": "b1:c"]),
    ]
    #expect(Set(keys).count == keys.count)
    #expect(ContentKey("k", ["a": "bc"]) == keys[0])
  }

  @Test("A damaged entry is a miss, and putting it again repairs it")
  func damage() throws {
    let bytes = (0..<100).map { UInt8($0) }
    for change in ["cut", "emptied", "flipped", "extended", "another kind"] {
      let folder = try TemporaryFolder()
      let cache = ContentCache(directory: folder.path)
      try cache.put(bytes, for: key("a"))
      let path = try entry(in: folder)
      var content = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
      switch change {
      case "cut": content.removeLast()
      case "emptied": content = []
      case "flipped": content[content.count - 1] ^= 1
      case "extended": content.append(0)
      default: content[0] ^= 1
      }
      try Data(content).write(to: URL(fileURLWithPath: path))
      #expect(cache.get(key("a")) == nil, "\(change)")
      try cache.put(bytes, for: key("a"))
      #expect(cache.get(key("a")) == bytes, "\(change)")
    }
  }

  @Test("An entry under another's name is a miss")
  func misplaced() throws {
    let (one, two) = (try TemporaryFolder(), try TemporaryFolder())
    try ContentCache(directory: one.path).put([1], for: key("a"))
    try ContentCache(directory: two.path).put([2], for: key("b"))
    let content = try Data(contentsOf: URL(fileURLWithPath: entry(in: one)))
    try content.write(to: URL(fileURLWithPath: entry(in: two)))
    #expect(ContentCache(directory: two.path).get(key("b")) == nil)
  }

  @Test("Beyond the limit those unused for longest go, and nothing that is not an entry")
  func limit() throws {
    let folder = try TemporaryFolder()
    let cache = ContentCache(directory: folder.path, limit: 4000)
    let stranger = try folder.write("ab/notes.txt", String(repeating: "x", count: 9000))
    let bytes = [UInt8](repeating: 7, count: 904)
    // Time stamps of files made at once may be equal; 50 ms are enough on any file system of ours.
    for name in ["a", "b", "c"] {
      try cache.put(bytes, for: key(name))
      Thread.sleep(forTimeInterval: 0.05)
    }
    #expect(cache.get(key("a")) != nil)
    Thread.sleep(forTimeInterval: 0.05)
    try cache.put(bytes, for: key("d"))
    // Four entries of 1000 bytes fit exactly; a fifth makes room down to seven eighths of the limit.
    #expect(["a", "b", "c", "d"].allSatisfy { cache.get(key($0)) != nil } == true)
    for name in ["c", "d", "a"] {
      Thread.sleep(forTimeInterval: 0.05)
      #expect(cache.get(key(name)) != nil)
    }
    Thread.sleep(forTimeInterval: 0.05)
    try cache.put(bytes, for: key("e"))
    #expect(["a", "b", "c", "d", "e"].filter { cache.get(key($0)) != nil } == ["a", "d", "e"])
    #expect(FileManager.default.fileExists(atPath: stranger))
    // What is larger than the whole cache is not kept.
    try cache.put([UInt8](repeating: 1, count: 5000), for: key("f"))
    #expect(cache.get(key("f")) == nil && cache.get(key("e")) != nil)
  }

  @Test("A folder that cannot be made is an error of put and no error of get")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("file", "text")
    let cache = ContentCache(directory: file)
    #expect(cache.get(key("a")) == nil)
    #expect(throws: Diagnostic.self) { try cache.put([1], for: key("a")) }
  }

  @Test("The folder is IRC_CACHE_DIR, else XDG's, else in the home")
  func standardDirectory() {
    func directory(_ environment: [String: String]) -> String? {
      ContentCache.standardDirectory(in: environment)
    }
    let all = ["IRC_CACHE_DIR": "here", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"]
    #expect(directory(all) == "here")
    #expect(directory(["XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"]) == "/xdg/irc")
    #expect(directory(["IRC_CACHE_DIR": "", "HOME": "/home/me"]) == "/home/me/.cache/irc")
    #expect(directory(["XDG_CACHE_HOME": "xdg", "HOME": "/home/me"]) == "/home/me/.cache/irc")
    #expect(directory([:]) == nil)
  }

  @Test(
    "A file's digest is of its content, whatever the threads; a folder's is of names and contents")
  func digests() throws {
    let folder = try TemporaryFolder()
    // Three pieces, the last of them short.
    let bytes = (0..<(9 << 20)).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
    let large = try folder.write("one/large", bytes)
    let first = try FileDigests.digest(of: large)
    #expect(try FileDigests.digest(of: folder.write("copy", bytes)) == first)
    #expect(try FileDigests.digest(of: folder.write("other", bytes.dropLast())) != first)
    #expect(try FileDigests.digest(of: folder.write("changed", bytes.dropLast() + [0xFF])) != first)
    try folder.write("large2", bytes)

    let one = try FileDigests.digest(ofFolder: folder.file("one"))
    try folder.write("two/.hidden", "x")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("two/large"), withDestinationPath: large)
    #expect(try FileDigests.digest(ofFolder: folder.file("two")) == one)
    try folder.write("two/config.json", "{}")
    #expect(try FileDigests.digest(ofFolder: folder.file("two")) != one)
    try folder.write("three/renamed", bytes)
    #expect(try FileDigests.digest(ofFolder: folder.file("three")) != one)
    #expect(throws: Diagnostic.self) { try FileDigests.digest(of: folder.file("none")) }
    #expect(throws: Diagnostic.self) { try FileDigests.digest(ofFolder: folder.file("none")) }
  }

  @Test("A file that changes is read again")
  func change() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("file", "one")
    let before = try FileDigests.digest(of: path)
    try folder.write("file", "three")
    #expect(try FileDigests.digest(of: path) != before)
  }
}
