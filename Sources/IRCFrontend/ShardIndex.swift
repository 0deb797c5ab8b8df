import IRCSupport

/// The index of a checkpoint in several files: which tensor is in which.
struct ShardIndex {
  /// Names of the files, sorted by their bytes.
  let files: [String]
  private let path: String
  private let entries: [(tensor: String, file: String, value: JSONValue)]

  /// Problems of one index that are shown.
  private static let problemLimit = 20

  /// Reads `model.safetensors.index.json`.
  ///
  /// - Throws: `Diagnostic` or `DiagnosticList` with `file.unreadable`, `json.*`, or `checkpoint.index` for a file that lies
  ///   elsewhere.
  init(reading path: String) throws {
    let reader = try JSONObjectReader(JSONValue(reading: path))
    reader.ignore(["metadata"])
    let map = try reader.required("weight_map")
    let unknown = reader.unknownKeys()
    if !unknown.isEmpty { throw DiagnosticList(unknown) }
    entries = try collect(Array(try map.object())) { member in
      let file = try member.value.string()
      guard !file.isEmpty, file != ".", file != "..", !file.utf8.contains(UInt8(ascii: "/")),
        !file.utf8.contains(0)
      else {
        throw member.value.diagnostic(
          "checkpoint.index", "'\(file)' is not the name of a file in this folder")
      }
      return (member.key, file, member.value)
    }
    var seen: Set<ByteKey> = []
    files = entries.map(\.file).filter { seen.insert(ByteKey($0)).inserted }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    self.path = path
  }

  /// Compares the index with what the files hold; `shards` are those of `files`, in that order.
  ///
  /// - Throws: `DiagnosticList` with `checkpoint.missing-tensor` and `checkpoint.unexpected-tensor`.
  func check(against shards: [SafetensorsFile]) throws {
    var problems: [Diagnostic] = []
    var listed: [ByteKey: ByteKey] = [:]
    for entry in entries { listed[ByteKey(entry.tensor)] = ByteKey(entry.file) }
    var stored: Set<[ByteKey]> = []
    for (file, shard) in zip(files, shards) {
      for tensor in shard.tensors {
        stored.insert([ByteKey(file), ByteKey(tensor.name)])
        if listed[ByteKey(tensor.name)] == ByteKey(file) { continue }
        problems.append(
          Diagnostic(
            "checkpoint.unexpected-tensor",
            "tensor '\(tensor.name)' is in '\(file)', where the index does not list it",
            at: SourceLocation(file: shard.path),
            hint: "index and files are of different versions: get both again"))
      }
    }
    for entry in entries where !stored.contains([ByteKey(entry.file), ByteKey(entry.tensor)]) {
      problems.append(
        entry.value.diagnostic(
          "checkpoint.missing-tensor",
          "tensor '\(entry.tensor)' is not in '\(entry.file)', where the index lists it",
          hint: "index and files are of different versions: get both again"))
    }
    if !problems.isEmpty {
      throw DiagnosticList(Array(problems.prefix(ShardIndex.problemLimit)))
    }
  }
}
