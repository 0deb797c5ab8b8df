import Foundation
import IRCSupport
import IRCTestSupport
import Testing

@Suite("Output files")
struct OutputFilesTests {
  /// A folder with earlier files `a` and `b`, and outputs for it that staged new ones and a further `c`.
  private func staged() throws -> (folder: TemporaryFolder, files: OutputFiles) {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] { try folder.write(name, "earlier \(name)") }
    let files = OutputFiles(directory: folder.path)
    for name in ["a", "b", "c"] { try files.write(name, "new \(name)") }
    return (folder, files)
  }

  private func contents(_ folder: TemporaryFolder) throws -> [String: String] {
    var result: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      result[name] = (try? String(contentsOfFile: folder.file(name), encoding: .utf8)) ?? "folder"
    }
    return result
  }

  @Test("All files come at once, and only those that changed are named")
  func commits() throws {
    let (folder, files) = try staged()
    try files.write("d", "new d")
    try folder.write("d", "new d")
    #expect(try files.commit() == ["a", "b", "c"])
    #expect(
      try contents(folder) == ["a": "new a", "b": "new b", "c": "new c", "d": "new d"])
  }

  @Test("No file is written twice")
  func duplicates() throws {
    let (folder, files) = try staged()
    let error = #expect(throws: Diagnostic.self) { try files.write("b", "other") }
    #expect(error?.id == "output.duplicate")
    try files.commit()
    #expect(try contents(folder)["b"] == "new b")
  }

  @Test("What an earlier output left goes with the commit, and comes back when that fails")
  func removal() throws {
    let (folder, files) = try staged()
    try folder.write("old", "earlier old")
    try folder.write("below/it", "stays")
    for name in ["old", "a", "missing", "below", "below/it", ""] { files.remove(name) }
    #expect(try files.commit() == ["a", "b", "c"])
    #expect(
      try contents(folder) == ["a": "new a", "b": "new b", "c": "new c", "below": "folder"])
    #expect(FileManager.default.fileExists(atPath: folder.file("below/it")))

    let (kept, failing) = try self.staged()
    try kept.write("old", "earlier old")
    failing.remove("old")
    try kept.write("c/x", "")
    #expect(throws: Diagnostic.self) { try failing.commit() }
    failing.discard()
    #expect(
      try contents(kept) == [
        "a": "earlier a", "b": "earlier b", "c": "folder", "old": "earlier old",
      ]
    )
  }

  @Test("A folder that cannot be made is named with the reason")
  func unmakeable() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("file", "")
    for place in [file, file + "/below"] {
      let error = #expect(throws: Diagnostic.self) {
        try OutputFiles(directory: place).write("a", "a")
      }
      #expect(error?.message == "cannot write '\(place)': Not a directory")
    }
    let nameless = #expect(throws: Diagnostic.self) {
      try OutputFiles(directory: "").write("a", "a")
    }
    #expect(nameless?.message == "the output folder has no name")
  }

  @Test("A place that is taken by a folder is found before anything is moved")
  func takenPlace() throws {
    let (folder, files) = try staged()
    try folder.write("c/x", "")
    let error = #expect(throws: Diagnostic.self) { try files.commit() }
    #expect(error?.id == "output.unwritable")
    #expect(error?.message.contains("'\(folder.file("c"))'") == true)
    files.discard()
    #expect(try contents(folder) == ["a": "earlier a", "b": "earlier b", "c": "folder"])
  }

  @Test("When a move fails, earlier files come back and new ones go away")
  func failingMove() throws {
    let (folder, files) = try staged()
    // Something takes away what was staged last: the files before it were moved when that shows.
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let last = try #require(names.first { $0.hasPrefix(".c.") })
    try FileManager.default.removeItem(atPath: folder.file(last))
    let error = #expect(throws: Diagnostic.self) { try files.commit() }
    #expect(error?.id == "output.unwritable")
    files.discard()
    #expect(try contents(folder) == ["a": "earlier a", "b": "earlier b"])
  }

  @Test("A file that cannot be replaced leaves no second name of the earlier one")
  func failingReplacement() throws {
    let (folder, files) = try staged()
    try folder.write("c", "earlier c")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let last = try #require(names.first { $0.hasPrefix(".c.") })
    try FileManager.default.removeItem(atPath: folder.file(last))
    #expect(throws: Diagnostic.self) { try files.commit() }
    files.discard()
    #expect(
      try contents(folder) == ["a": "earlier a", "b": "earlier b", "c": "earlier c"])
  }

  @Test("Two that write one file at a time do not meet, though their processes have one number")
  func distinctNames() throws {
    let folder = try TemporaryFolder()
    let (one, other) = (OutputFiles(directory: folder.path), OutputFiles(directory: folder.path))
    try one.write("a", "one")
    try other.write("a", "other")
    try one.commit()
    #expect(try contents(folder)["a"] == "one")
    try other.commit()
    #expect(try contents(folder) == ["a": "other"])
  }

  @Test("What killed runs left goes an hour later; what others may still write stays")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    // A process that has ended, and whose number is therefore nobody's.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/true")
    try process.run()
    process.waitUntilExit()
    let (dead, living) = (process.processIdentifier, ProcessInfo.processInfo.processIdentifier)
    for name in [
      ".a.c.\(dead).partial", ".b.\(dead).partial.earlier", ".c.\(living).partial",
      ".d.0.partial", ".e.partial", "f.\(dead).partial", ".g.\(dead).part",
    ] {
      try folder.write(name, name)
    }
    let left = try Set(contents(folder).keys)
    let files = OutputFiles(directory: folder.path)
    try files.write("a.c", "new")
    try files.commit()
    // The process may be one of another machine.
    #expect(try Set(contents(folder).keys) == left.union(["a.c"]))
    // An earlier file has its own time of writing.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -7200)],
      ofItemAtPath: folder.file(".b.\(dead).partial.earlier"))
    let now = Int(Date().timeIntervalSince1970)
    PartialFile.removeAbandoned(in: folder.path, now: now + 3500)
    #expect(try Set(contents(folder).keys) == left.union(["a.c"]))
    PartialFile.removeAbandoned(in: folder.path, now: now + 3700)
    #expect(
      try Set(contents(folder).keys) == [
        "a.c", ".c.\(living).partial", ".d.0.partial", ".e.partial", "f.\(dead).partial",
        ".g.\(dead).part",
      ])
  }
}
