public import IRCSupport

/// Reads `config.json` strictly: every key must be asked for or be known not to matter.
///
/// Reading is total: what is missing or unsupported is noted and a stand-in returned, so that a frontend is straight-line
/// code; `finish` then throws everything that was noted.
public final class ModelConfiguration {
  /// Path of the file.
  public let path: String
  /// The one architecture that the file names.
  public let architecture: String
  private let reader: JSONObjectReader
  private var problems: [Diagnostic] = []

  /// Keys that say how a network was trained or is run, and nothing about what it computes.
  private static let bookkeeping = [
    "_name_or_path", "_attn_implementation_autoset", "architectures", "attention_dropout", "dtype",
    "initializer_range", "output_attentions", "output_hidden_states", "return_dict", "torch_dtype",
    "torchscript", "transformers_version", "unsloth_version", "use_bfloat16", "use_cache",
  ]

  /// Reads the file and the name of the architecture.
  ///
  /// - Throws: `Diagnostic` of the JSON reader, or `config.unknown-architecture` when there is not exactly one name.
  public init(reading path: String) throws {
    self.path = path
    reader = try JSONObjectReader(JSONValue(reading: path))
    let list = try reader.required("architectures")
    let names = try list.array().map { try $0.string() }
    guard names.count == 1 else {
      throw list.diagnostic(
        "config.unknown-architecture", "'architectures' must name one architecture")
    }
    architecture = names[0]
    reader.ignore(ModelConfiguration.bookkeeping)
  }

  /// An error at the name of the architecture.
  func architectureError(_ message: String, hint: String?, notes: [String]) -> Diagnostic {
    let place =
      reader.optional("architectures").flatMap { try? $0.array().first } ?? reader.object.value
    return place.diagnostic("config.unknown-architecture", message, hint: hint, notes: notes)
  }

  /// True if the key is there with the value null.
  public func isNull(_ key: String) -> Bool { reader.object[key]?.isNull ?? false }

  // MARK: - Reading

  private func read<Value>(
    _ key: String, default fallback: Value?, standIn: Value, _ convert: (JSONValue) throws -> Value
  ) -> Value {
    do {
      if let fallback {
        guard let value = reader.optional(key) else { return fallback }
        return try convert(value)
      }
      return try convert(try reader.required(key))
    } catch let error as Diagnostic {
      problems.append(error)
    } catch {
      problems.append(Diagnostic("config.unsupported", "\(error)"))
    }
    return standIn
  }

  /// A whole number in a range; without a default the key must be there.
  public func int(
    _ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) -> Int {
    // The largest number as a stand-in lets checks against it pass.
    read(key, default: fallback, standIn: range.upperBound) { try $0.int(in: range) }
  }

  /// A whole number in a range, nil where the key is absent or null.
  public func optionalInt(_ key: String, in range: ClosedRange<Int>) -> Int? {
    read(key, default: .some(nil), standIn: nil) { try $0.int(in: range) }
  }

  /// A number in a range; without a default the key must be there.
  public func double(
    _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
  ) -> Double {
    read(key, default: fallback, standIn: range.lowerBound) { try $0.double(in: range) }
  }

  /// A truth value; without a default the key must be there.
  public func bool(_ key: String, default fallback: Bool? = nil) -> Bool {
    read(key, default: fallback, standIn: false) { try $0.bool() }
  }

  /// A truth value, nil where the key is absent or null.
  public func optionalBool(_ key: String) -> Bool? {
    read(key, default: .some(nil), standIn: nil) { try $0.bool() }
  }

  /// A value of any form; nil where the key is absent or null, or where `convert` throws.
  public func optional<Value>(_ key: String, _ convert: (JSONValue) throws -> Value) -> Value? {
    read(key, default: .some(nil), standIn: nil) { try convert($0) }
  }

  /// Token ids: one, a list, or none.
  public func tokens(_ key: String, below count: Int) -> [Int] {
    let range = 0...max(0, count - 1)
    return read(key, default: [], standIn: []) { value in
      if case .array(let list) = value.content { return try list.map { try $0.int(in: range) } }
      return [try value.int(in: range)]
    }
  }

  /// Skips keys that do not matter to what this architecture computes.
  public func ignore(_ keys: String...) {
    reader.ignore(keys)
  }

  /// Refuses a value other than the supported one; absent and null are fine.
  ///
  /// - Parameter supported: what to say of the value that is.
  public func expect(
    _ key: String, _ supported: String,
    where isSupported: (JSONValue) throws -> Bool = { _ in false }
  ) {
    guard let value = reader.optional(key) else { return }
    do {
      if try isSupported(value) { return }
    } catch let error as Diagnostic {
      problems.append(error)
      return
    } catch {}
    report(
      key, "the value of '\(key)' is not supported for \(architecture)",
      hint: "supported is \(supported)")
  }

  /// Notes an error at a key, or at the file if the key is absent.
  public func report(_ key: String, _ message: String, hint: String? = nil) {
    let value = reader.optional(key) ?? reader.object.value
    problems.append(value.diagnostic("config.unsupported", message, hint: hint))
  }

  /// True while nothing was noted, so that checks across several keys make sense.
  public var isSound: Bool { problems.isEmpty }

  /// Ends reading.
  ///
  /// - Throws: `DiagnosticList` with everything noted and one `config.unknown-key` for each key that nobody asked for.
  public func finish() throws {
    for (member, unknown) in zip(reader.unread, reader.unknownKeys())
      .prefix(ModelBuilder.problemLimit)
    {
      if member.key == "quantization_config" || member.key == "compression_config" {
        problems.append(
          member.diagnostic(
            "config.unsupported", "this checkpoint is quantized already",
            hint: "give the checkpoint that it was made from"))
      } else {
        problems.append(
          member.diagnostic(
            "config.unknown-key", "the key '\(member.key)' is not known for \(architecture)",
            hint: unknown.hint ?? "remove it if it does not change what the network computes"))
      }
    }
    if problems.isEmpty { return }
    let inOrder = problems.enumerated().sorted { a, b in
      let (first, second) = (a.element.location, b.element.location)
      return (first?.line ?? 0, first?.column ?? 0, a.offset)
        < (second?.line ?? 0, second?.column ?? 0, b.offset)
    }
    throw DiagnosticList(inOrder.map(\.element))
  }
}
