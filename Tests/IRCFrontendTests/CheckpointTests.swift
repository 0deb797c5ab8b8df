import Foundation
import IRCFrontend
import IRCSupport
import IRCTensor
import IRCTestSupport
import Testing

@Suite("Checkpoints")
struct CheckpointTests {
  private func problems(_ folder: TemporaryFolder, of path: String? = nil) throws -> [Diagnostic] {
    do {
      _ = try Checkpoint(folder: path ?? folder.path)
      return []
    } catch let error as DiagnosticList {
      return error.diagnostics
    }
  }

  private static let tensors = [
    TinyTensor("b.weight", "F32", [2, 2], [1, 2, 3, 4]),
    TinyTensor("a.weight", "F16", [3], [0.5, -1, 2]),
    TinyTensor("a.bias", "BF16", [2], [8, 0.25]),
  ]

  @Test("Tensors are read where they lie in the mapped file, sorted by name")
  func read() throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Safetensors.file(Self.tensors))
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.tensors.map(\.name) == ["a.bias", "a.weight", "b.weight"])
    #expect(checkpoint.byteCount == 26)
    let tensor = try checkpoint.tensor(named: "b.weight")
    #expect(tensor.isMapped && tensor.shape == [2, 2])
    #expect(tensor.array(of: Float.self) == [1, 2, 3, 4])
    #expect(try checkpoint.tensor(named: "a.weight").elementType == .f16)
    withExtendedLifetime(folder) {}
  }

  @Test("Data that does not lie at a multiple of its element size is copied", arguments: 1..<8)
  func misaligned(_ shift: Int) throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Safetensors.file(Self.tensors, shift: shift))
    let checkpoint = try Checkpoint(folder: folder.path)
    for _ in 0..<2 {
      let tensor = try checkpoint.tensor(named: "b.weight")
      #expect(tensor.isMapped == (shift == 4))
      #expect(tensor.array(of: Float.self) == [1, 2, 3, 4])
      let half = try checkpoint.tensor(named: "a.weight")
      #expect(half.isMapped == (shift % 2 == 0))
      let bits = half.withBytes { bytes in
        (0..<3).map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
      }
      #expect(bits == [0x3800, 0xBC00, 0x4000])
    }
    withExtendedLifetime(folder) {}
  }

  @Test("An unknown name is answered with the nearest one")
  func missing() throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Safetensors.file(Self.tensors))
    let checkpoint = try Checkpoint(folder: folder.path)
    let error = try #require(throws: Diagnostic.self) {
      try checkpoint.tensor(named: "a.wieght")
    }
    #expect(error.id == "checkpoint.missing-tensor" && error.hint == "there is 'a.weight'")
    withExtendedLifetime(folder) {}
  }

  @Test("Names are compared byte by byte")
  func names() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "model.safetensors",
      Safetensors.file([
        TinyTensor("caf\u{E9}", "F32", [1], [1]), TinyTensor("cafe\u{301}", "F32", [1], [2]),
      ]))
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.tensors.count == 2)
    #expect(try checkpoint.tensor(named: "caf\u{E9}").array(of: Float.self) == [1])
    #expect(try checkpoint.tensor(named: "cafe\u{301}").array(of: Float.self) == [2])
    withExtendedLifetime(folder) {}
  }

  @Test(
    "The first element that is no finite number is found, wherever it is",
    arguments: ["F32", "F16", "BF16", "F64"], [0, 1, 4095, 4096, 9998])
  func nonFinite(_ type: String, _ place: Int) throws {
    for (value, name) in [(Double.infinity, "inf"), (-.infinity, "-inf"), (.nan, "nan")] {
      var values = [Double](repeating: 1.5, count: 9999)
      values[place] = value
      values[9998] = value
      let folder = try TemporaryFolder()
      // A shifted file makes the scan read at odd addresses.
      try folder.write(
        "model.safetensors", Safetensors.file([TinyTensor("x", type, [3333, 3], values)], shift: 3))
      let found = try Checkpoint(folder: folder.path).firstNonFinite(in: "x")
      #expect(found?.indices == [place / 3, place % 3])
      #expect(found?.value == name)
      withExtendedLifetime(folder) {}
    }
  }

  @Test("Finite tensors, the largest numbers included, have no such element")
  func finite() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      "model.safetensors",
      Safetensors.file([
        TinyTensor("f16", "F16", [3], [65504, -65504, 6e-8]),
        TinyTensor("f32", "F32", [2], [Double(Float.greatestFiniteMagnitude), -1e-45]),
        TinyTensor("i64", "I64", [1], [-1]), TinyTensor("none", "F32", [0], []),
      ]))
    let checkpoint = try Checkpoint(folder: folder.path)
    for tensor in checkpoint.tensors {
      #expect(try checkpoint.firstNonFinite(in: tensor.name) == nil)
    }
    withExtendedLifetime(folder) {}
  }

  // MARK: - Folders

  @Test("A folder without weights says what is there instead")
  func noWeights() throws {
    let folder = try TemporaryFolder()
    var error = try #require(try problems(folder).first)
    #expect(error.id == "checkpoint.unreadable")
    #expect(
      error.message == "there is neither 'model.safetensors' nor 'model.safetensors.index.json'")
    try folder.write("pytorch_model.bin", "pickle")
    error = try #require(try problems(folder).first)
    #expect(error.hint?.hasPrefix("'pytorch_model.bin' is a PyTorch file") ?? false)
    withExtendedLifetime(folder) {}
  }

  @Test("What is no folder is refused")
  func noFolder() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("file", "text")
    #expect(try problems(folder, of: file).first?.message == "'\(file)' is a file, not a folder")
    let absent = folder.file("absent")
    #expect(try problems(folder, of: absent).first?.message == "there is no folder '\(absent)'")
    withExtendedLifetime(folder) {}
  }

  @Test(
    "A folder that may not be read is refused", .enabled(if: getuid() != 0, "root may read it"))
  func unreadable() throws {
    let folder = try TemporaryFolder()
    try folder.write("inner/model.safetensors", Safetensors.file(Self.tensors))
    chmod(folder.file("inner"), 0)
    defer { chmod(folder.file("inner"), 0o755) }
    let error = try #require(try problems(folder, of: folder.file("inner")).first)
    #expect(error.id == "checkpoint.unreadable")
    #expect(error.message.hasSuffix("may not be read"))
  }

  @Test("Weights in the place of a folder are refused")
  func folderAsFile() throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors/x", "")
    let error = try #require(throws: Diagnostic.self) { try Checkpoint(folder: folder.path) }
    #expect(error.id == "file.unreadable" && error.message.hasSuffix("is not a regular file"))
    withExtendedLifetime(folder) {}
  }

  @Test("A folder with one file and with an index is ambiguous")
  func both() throws {
    let folder = try TemporaryFolder()
    try folder.write("model.safetensors", Safetensors.file(Self.tensors))
    try folder.write("model.safetensors.index.json", "{\"weight_map\": {}}")
    #expect(try problems(folder).map(\.id) == ["checkpoint.unreadable"])
    withExtendedLifetime(folder) {}
  }

  // MARK: - Shards

  private func shards(_ index: String) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("one.safetensors", Safetensors.file(Array(Self.tensors[..<2])))
    try folder.write("two.safetensors", Safetensors.file(Array(Self.tensors[2...])))
    try folder.write("model.safetensors.index.json", index)
    return folder
  }

  @Test("Tensors of several files are found through the index")
  func sharded() throws {
    let folder = try shards(
      """
      {"metadata": {"total_size": 26}, "weight_map": {"a.bias": "two.safetensors",
        "b.weight": "one.safetensors", "a.weight": "one.safetensors"}}
      """)
    let checkpoint = try Checkpoint(folder: folder.path)
    #expect(checkpoint.tensors.map(\.name) == ["a.bias", "a.weight", "b.weight"])
    #expect(checkpoint["a.bias"]?.file == folder.file("two.safetensors"))
    #expect(try checkpoint.tensor(named: "b.weight").array(of: Float.self) == [1, 2, 3, 4])
    withExtendedLifetime(folder) {}
  }

  @Test("An index that differs from the files is refused, with every difference")
  func differences() throws {
    let folder = try shards(
      """
      {"weight_map": {
        "a.weight": "one.safetensors",
        "b.weight": "two.safetensors",
        "c.weight": "one.safetensors"
      }}
      """)
    let list = try problems(folder)
    #expect(
      list.map { "\($0.id): \($0.message)" } == [
        "checkpoint.unexpected-tensor: tensor 'b.weight' is in 'one.safetensors', where the index does not list it",
        "checkpoint.unexpected-tensor: tensor 'a.bias' is in 'two.safetensors', where the index does not list it",
        "checkpoint.missing-tensor: tensor 'b.weight' is not in 'two.safetensors', where the index lists it",
        "checkpoint.missing-tensor: tensor 'c.weight' is not in 'one.safetensors', where the index lists it",
      ])
    #expect(list.map { $0.location?.line ?? 0 } == [0, 0, 3, 4])
    withExtendedLifetime(folder) {}
  }

  @Test(
    "An index that names other places, or is none, is refused",
    arguments: [
      ("{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "checkpoint.index", 1),
      ("{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "checkpoint.index", 1),
      ("{\"weight_map\": {\"a\": \"\"}}", "checkpoint.index", 1),
      ("{\"weight_map\": {\"a\": \"..\"}}", "checkpoint.index", 1),
      ("{\"weight_map\": {\"a\": \"none.safetensors\"}}", "file.unreadable", 0),
      ("{\"weight_map\": {\"a\": 3}}", "json.wrong-type", 1),
      ("{\"weight_map\": []}", "json.wrong-type", 1),
      ("{\"weights\": {}}", "json.missing-key", 1),
      ("{\"weight_map\": {}, \"weights\": {}}", "json.unknown-key", 1),
      ("{\"weight_map\": {\"a\": \"x\", \"a\": \"x\"}}", "json.duplicate-key", 1),
      ("{", "json.syntax", 1),
    ])
  func index(_ text: String, _ id: String, _ line: Int) throws {
    let folder = try shards(text)
    try withExtendedLifetime(folder) {
      do {
        _ = try Checkpoint(folder: folder.path)
        Issue.record("the index was read")
      } catch let error as DiagnosticList {
        #expect(error.diagnostics.map(\.id) == [id])
        #expect(error.diagnostics[0].location?.line ?? 0 == line)
      } catch let error as Diagnostic {
        #expect(error.id == id)
        #expect(error.location?.line ?? 0 == line)
      }
    }
  }
}
