import Foundation
import IRCSupport

/// Objects that a C compiler made of the sources of emitted libraries.
///
/// An object is known by its source, the headers beside it that it includes, the compiler and what that was told; what the system's
/// headers say of the few functions that libraries call is taken to be the compiler's.
struct ObjectCache: Sendable {
  private let cache: ContentCache
  private let compiler: String
  private let flags: String
  /// What the folder has of headers, by name.
  private let headers: [String: Text]

  /// A file of C: its digest, and the names of the files that it includes with quotes; nil where it includes what only a macro names.
  private struct Text {
    var digest: String
    var includes: [String]?
  }

  /// Prepares to look for objects that `compiler` makes with `flags`, of sources that include the headers in `folder`.
  ///
  /// - Throws: `Diagnostic` `file.unreadable`.
  init(
    _ cache: ContentCache, of compiler: CCompiler, _ flags: [String], includedFrom folder: String
  ) throws {
    self.cache = cache
    // Another program at the same path has another identity.
    let program = URL(fileURLWithPath: compiler.command[0]).resolvingSymlinksInPath().path
    let identity = FileIdentity(path: program)?.description ?? ""
    self.compiler = ([program, identity] + compiler.command.dropFirst()).joined(separator: "\n")
    let all = compiler.command + flags
    let processor = all.contains { $0.hasSuffix("=native") } ? HostProcessor.features : ""
    self.flags = (flags + [processor]).joined(separator: "\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    headers = try Dictionary(
      uniqueKeysWithValues: names.filter { $0.hasSuffix(".h") }.map {
        ($0, try Self.text(of: "\(folder)/\($0)"))
      })
  }

  /// Puts the object of a source at `path`; false if there is none.
  ///
  /// - Throws: `Diagnostic` `file.unreadable` of the source.
  func copy(of source: String, to path: String) throws -> Bool {
    guard let bytes = cache.get(try key(of: source)) else { return false }
    return FileManager.default.createFile(atPath: path, contents: Data(bytes))
  }

  /// Keeps the object of a source, if that is possible.
  func keep(_ object: String, of source: String) {
    guard let bytes = FileManager.default.contents(atPath: object), let key = try? key(of: source)
    else { return }
    // What cannot be kept is compiled again.
    cache.keep { try cache.put([UInt8](bytes), for: key) }
  }

  private func key(of source: String) throws -> ContentKey {
    let text = try Self.text(of: source)
    // The name is part of what the compiler writes into the object.
    return ContentKey(
      "c-object 2",
      [
        "compiler": compiler, "flags": flags, "headers": headers(of: text),
        "name": (source as NSString).lastPathComponent, "source": text.digest,
      ])
  }

  /// The headers of the folder that a source includes, and those that they include, with what is in them; all there are where a macro
  /// names one. Emitted sources include nothing else with quotes, and a name that the folder does not have stands behind a condition that
  /// does not hold. A model's own header is none of the kernels', which are thus the same for all models of a name.
  private func headers(of source: Text) -> String {
    var included: Set<String> = []
    var open = [source]
    while let text = open.popLast() {
      guard let names = text.includes else { return allHeaders }
      for name in names {
        if let header = headers[name], included.insert(name).inserted { open.append(header) }
      }
    }
    return digests(of: included)
  }

  private var allHeaders: String { digests(of: headers.keys) }

  private func digests(of names: some Collection<String>) -> String {
    names.sorted().map { "\($0) \(headers[$0]?.digest ?? "")" }.joined(separator: "\n")
  }

  private static func text(of path: String) throws -> Text {
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw Diagnostic("file.unreadable", "cannot read '\(path)'")
    }
    var hash = SHA256()
    hash.add([UInt8](bytes))
    return Text(
      digest: hash.digest().description, includes: includes(String(decoding: bytes, as: UTF8.self)))
  }

  /// The names that a text includes with quotes, whether or not its conditions hold; nil if it names one in another way.
  private static func includes(_ text: String) -> [String]? {
    var names: [String] = []
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      guard let start = line.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }),
        line[start] == UInt8(ascii: "#")
      else { continue }
      let rest = String(decoding: line[line.index(after: start)...], as: UTF8.self)
        .trimmingCharacters(in: .whitespaces)
      guard rest.hasPrefix("include") else { continue }
      let name = rest.dropFirst("include".count).trimmingCharacters(in: .whitespaces)
      if name.hasPrefix("<") { continue }
      let parts = name.split(separator: "\"", omittingEmptySubsequences: false)
      guard name.hasPrefix("\""), parts.count >= 3 else { return nil }
      names.append(String(parts[1]))
    }
    return names
  }
}
