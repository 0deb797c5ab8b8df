import IRCSupport

/// The table of contents of a safetensors file, checked against the length of the file.
///
/// Layout: the header's length N as 8 bytes, N bytes of JSON, then the data, in which the tensors lie one behind the other
/// without gaps.
package struct SafetensorsHeader {
  /// The tensors in the order of their data.
  package let tensors: [StoredTensor]
  /// The file's own remarks, in the order written.
  let metadata: [(key: String, value: String)]

  /// Longest header that the format allows.
  static let lengthLimit = 100_000_000
  /// Problems of one file that are shown.
  private static let problemLimit = 20

  /// Reads the header of a file whose whole content is `bytes`.
  ///
  /// - Throws: `DiagnosticList` with `checkpoint.truncated`, `checkpoint.header`, `checkpoint.dtype`, `checkpoint.shape` or
  ///   `checkpoint.offsets`, all naming the file and, where it is one, the tensor.
  package init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    let json = try unsafe SafetensorsHeader.json(bytes, file: file)
    let start = 8 + json.count
    var problems: [Diagnostic] = []
    var tensors: [StoredTensor] = []
    var metadata: [(key: String, value: String)] = []
    do {
      let value = try JSONValue(parsing: json, path: file)
      for member in try value.object() {
        do {
          if member.key == "__metadata__" {
            metadata = try member.value.object().map { ($0.key, try $0.value.string()) }
          } else {
            let entry = try Entry(member)
            tensors.append(try entry.tensor(file: file, dataStart: start))
          }
        } catch let error as Diagnostic {
          problems.append(SafetensorsHeader.named(error, member.key, file))
        }
      }
    } catch let error as Diagnostic {
      throw DiagnosticList(
        SafetensorsHeader.named(error, nil, file, at: SafetensorsHeader.byte(of: error, in: json)))
    }
    // Where entries are unreadable, gaps between the others mean nothing.
    if problems.isEmpty {
      tensors.sort {
        ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
      }
      problems = SafetensorsHeader.layoutProblems(tensors, from: start, to: bytes.count, file)
    }
    if !problems.isEmpty {
      throw DiagnosticList(Array(problems.prefix(SafetensorsHeader.problemLimit)))
    }
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The bytes of the header's text.
  private static func json(_ bytes: UnsafeRawBufferPointer, file: String) throws -> [UInt8] {
    func failure(_ id: String, _ message: String, _ hint: String) -> DiagnosticList {
      DiagnosticList(Diagnostic(id, message, at: SourceLocation(file: file), hint: hint))
    }
    if unsafe bytes.starts(with: "version https://git-lfs".utf8) {
      throw failure(
        "checkpoint.header", "this is a Git LFS pointer, not the file itself",
        "fetch the file with 'git lfs pull'")
    }
    guard bytes.count >= 8 else {
      throw failure(
        "checkpoint.truncated",
        "the file has \(bytes.count) bytes, too few for a safetensors header",
        "get the file again")
    }
    let length = unsafe UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(lengthLimit) else {
      throw failure(
        "checkpoint.header",
        "the header claims \(length) bytes; the format allows \(lengthLimit)",
        "this is not a safetensors file, or a damaged one")
    }
    guard length <= UInt64(bytes.count - 8) else {
      throw failure(
        "checkpoint.truncated",
        "the header claims \(length) bytes and the file has \(bytes.count - 8) left",
        "the file is incomplete or damaged: get it again")
    }
    let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[8..<8 + Int(length)])
    guard unsafe text.first == UInt8(ascii: "{") else {
      throw failure(
        "checkpoint.header", "the header does not begin with '{'",
        "this is not a safetensors file, or a damaged one")
    }
    return unsafe Array(text)
  }

  /// An error of the JSON reader in the words of a checkpoint.
  private static func named(
    _ error: Diagnostic, _ tensor: String?, _ file: String, at byte: Int? = nil
  ) -> Diagnostic {
    if error.id.hasPrefix("checkpoint.") { return error }
    let place = byte.map { " at byte \($0)" } ?? ""
    var message = "the header is damaged\(place): \(error.message)"
    if let tensor { message = "tensor '\(tensor)': " + error.message }
    return Diagnostic(
      "checkpoint.header", message, at: SourceLocation(file: file),
      hint: "the file is damaged or was written by a faulty tool: get it again")
  }

  /// Which byte of the file the JSON reader complains of, about: a column counts characters.
  private static func byte(of error: Diagnostic, in json: [UInt8]) -> Int? {
    guard let place = error.location, place.line > 0 else { return nil }
    var start = 0
    for _ in 1..<place.line {
      guard let end = json[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      start = end + 1
    }
    let rest = json[start...].prefix { $0 != UInt8(ascii: "\n") }
    let before = String(decoding: rest, as: UTF8.self).prefix(max(0, place.column - 1))
    return 8 + start + before.utf8.count
  }

  /// What is wrong with the places of tensors that are sorted by place.
  private static func layoutProblems(
    _ tensors: [StoredTensor], from start: Int, to end: Int, _ file: String
  ) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    func report(_ id: String, _ message: String, _ hint: String) {
      problems.append(Diagnostic(id, message, at: SourceLocation(file: file), hint: hint))
    }
    var position = start
    var previous: StoredTensor?
    for tensor in tensors {
      let gap = tensor.bytes.lowerBound - position
      if gap < 0, let previous {
        report(
          "checkpoint.offsets",
          "the data of tensor '\(tensor.name)' overlaps that of '\(previous.name)' by \(-gap) bytes",
          "the file was written by a faulty tool: write it again")
      } else if gap > 0 {
        let place = previous.map { "between '\($0.name)' and" } ?? "before"
        report(
          "checkpoint.offsets", "\(gap) bytes \(place) tensor '\(tensor.name)' belong to no tensor",
          "the file was written by a faulty tool: write it again")
      }
      if tensor.bytes.upperBound >= position {
        position = tensor.bytes.upperBound
        previous = tensor
      }
    }
    if position > end {
      let cut = tensors.first { $0.bytes.upperBound > end }
      report(
        "checkpoint.truncated",
        "the file ends \(position - end) bytes before its data does; tensor '\(cut?.name ?? "")' is not complete",
        "the file is incomplete: get it again")
    } else if position < end, problems.isEmpty {
      report(
        "checkpoint.offsets", "\(end - position) bytes behind the last tensor belong to no tensor",
        "the file is damaged or was written by a faulty tool: get it again")
    }
    return problems
  }
}

/// One tensor's description as written in the header.
private struct Entry {
  let name: String
  let type: String
  let shape: [Int]
  let begin: Int
  let end: Int

  init(_ member: JSONObject.Member) throws {
    let reader = try JSONObjectReader(member.value)
    name = member.key
    type = try reader.required("dtype").string()
    shape = try reader.required("shape").array().map { try $0.int(in: 0...) }
    let offsets = try reader.required("data_offsets")
    let pair = try offsets.array().map { try $0.int(in: 0...) }
    guard pair.count == 2, pair[0] <= pair[1] else {
      throw offsets.diagnostic(
        "json.out-of-range",
        "'data_offsets' must be a first byte and a last one that is not before it")
    }
    (begin, end) = (pair[0], pair[1])
    if let unknown = reader.unknownKeys().first { throw unknown }
  }

  /// The tensor, with its bytes counted from the start of the file.
  func tensor(file: String, dataStart: Int) throws -> StoredTensor {
    func failure(_ id: String, _ message: String, _ hint: String) -> Diagnostic {
      Diagnostic(id, "tensor '\(name)' \(message)", at: SourceLocation(file: file), hint: hint)
    }
    guard let stored = StoredType(name: type) else {
      throw failure(
        "checkpoint.dtype", "has the unknown element type '\(type)'",
        "convert the checkpoint to F32, F16 or BF16")
    }
    guard shape.count <= 64, let bits = bits(of: stored) else {
      throw failure(
        "checkpoint.shape",
        "has the impossible shape \(shape.count <= 64 ? "\(shape)" : "of \(shape.count) axes")",
        "the file is damaged or was written by a faulty tool: get it again")
    }
    guard bits.isMultiple(of: 8), end - begin == bits / 8 else {
      throw failure(
        "checkpoint.offsets",
        "takes \(end - begin) bytes; \(type) of shape \(shape) takes \(bits.isMultiple(of: 8) ? "\(bits / 8)" : "\(bits) bits")",
        "the file is damaged or was written by a faulty tool: get it again")
    }
    let (last, overflow) = end.addingReportingOverflow(dataStart)
    guard !overflow else {
      throw failure(
        "checkpoint.offsets", "ends at the impossible byte \(end)",
        "the file is damaged or was written by a faulty tool: get it again")
    }
    return StoredTensor(
      name: name, type: stored, shape: shape, file: file, bytes: begin + dataStart..<last)
  }

  /// Size in bits; nil if that is beyond 64 bits, also when zero extents hide it.
  private func bits(of type: StoredType) -> Int? {
    var bits = type.bits
    for extent in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: max(1, extent))
      if overflow { return nil }
      bits = product
    }
    return shape.contains(0) ? 0 : bits
  }
}
