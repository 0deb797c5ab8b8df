import Foundation
import IRCCodegen
package import IRCPassKit
import IRCSupport

/// What a model file says, with defaults filled in and paths that start from the working directory.
package struct ModelFile: Sendable {
  /// What passes measure activations on.
  package struct Calibration: Sendable, Hashable {
    /// Where the tokens come from.
    package enum Source: Sendable, Hashable {
      /// A plain text file.
      case text(String)
      /// A `.jsonl` file of documents.
      case documents(String)
      /// A file of token ids.
      case ids(String)

      /// The file.
      package var path: String {
        switch self {
        case .text(let path), .documents(let path), .ids(let path): path
        }
      }
    }

    /// Where the tokens come from.
    package var source: Source
    /// The file's path as the model file has it.
    package var written: String
    /// Tokens at the beginning of the text that are left for other uses.
    package var skip = 0
    /// Number of tokens to use.
    package var tokens = 16_384
    /// Tokens of one window.
    package var window = 256
    /// Seed that chooses the windows.
    package var seed = 0

    /// Takes tokens from a file, everything else by default.
    package init(source: Source, written: String? = nil) {
      self.source = source
      self.written = written ?? source.path
    }
  }

  /// The file.
  package var path: String
  /// Name of the result.
  package var name: String
  /// The model's folder.
  package var source: String
  /// What passes measure activations on, if the file says so.
  package var calibration: Calibration?
  /// The pipeline as written: its name or path; empty for an inline list.
  package var pipeline: String
  /// Machine that code is made for.
  package var target: Target
  /// Exporters by name.
  package var emit: [String]
  /// Folder that the results go to.
  package var output: String

  /// The name as the start of C identifiers.
  package var identifier: String { Self.identifier(name) }

  static func identifier(_ name: String) -> String {
    String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}

/// A model file as far as it could be read: when there are problems, some of it is a stand-in.
struct ModelReading {
  var model: ModelFile
  /// The value of `pipeline`, if it is there.
  var pipeline: OptionValue?
  /// The value of `emit`, or its default.
  var emit: OptionValue
  /// The value of `target`, or its default.
  var target: OptionValue
  /// The value of `plugins`, if it is there.
  var plugins: OptionValue?
  /// What the user should know and is no error.
  private(set) var notes: [Diagnostic] = []

  init(_ root: OptionValue, path: String, _ problems: inout [Diagnostic]) {
    let keys = CheckedMapping(root, Language.withoutPasses(Language.modelFields), &problems)
    keys.checkVersion(&problems)
    let name = Self.name(keys["name"], path, root, &problems)
    if let reason = ArtifactNames.conflict(of: name) {
      var note = (keys["name"]?.span ?? root.span).error(
        "model.renamed",
        "files are called '\(ArtifactNames(model: name).stem)' in place of '\(name)', and symbols likewise: \(reason)",
        hint: keys["name"] == nil
          ? "the folder's name is the name where the key 'name' does not give one" : nil)
      note.severity = .remark
      notes.append(note)
    }
    let start = OptionValue(.scalar("c"), span: root.span)
    emit = keys["emit"] ?? OptionValue(.sequence([start]), span: root.span)
    target = keys["target"] ?? OptionValue(.scalar(Target.native.rawValue), span: root.span)
    pipeline = keys["pipeline"]
    plugins = keys["plugins"]
    let output = keys["output"].flatMap { value in
      value.text.map { resolve($0, written: value.span) }
    }
    var names: [String] = []
    if case .sequence(let items) = emit.content { names = items.compactMap(\.text) }
    model = ModelFile(
      path: path, name: name, source: "", calibration: nil, pipeline: keys.text("pipeline") ?? "",
      target: target.text.flatMap(Target.init) ?? .native, emit: names,
      output: output ?? resolve("build/\(name)", beside: path))
    if let value = keys["source"], let text = value.text {
      model.source = resolve(text, written: value.span)
      if !isFolder(model.source) {
        problems.append(missing(model.source, "folder", at: value.span))
      }
    }
    model.calibration = keys["calibration"].flatMap { Self.calibration($0, &problems) }
  }

  private static func name(
    _ value: OptionValue?, _ path: String, _ root: OptionValue, _ problems: inout [Diagnostic]
  ) -> String {
    let url = URL(fileURLWithPath: path).standardizedFileURL
    let name = value?.text ?? url.deletingLastPathComponent().lastPathComponent
    let isValid =
      name.first.map { $0.isASCII && $0.isLetter } == true && name.utf8.count <= 100
      && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    if !isValid {
      let from = value == nil ? "the folder's name " : ""
      problems.append(
        (value?.span ?? root.span).error(
          "model.name", "\(from)'\(name)' cannot name files and C symbols",
          hint: "use letters, digits, '-', '_' and '.', a letter first"
            + (value == nil ? ", with the key 'name'" : "")))
    }
    return name
  }

  private static func calibration(
    _ value: OptionValue, _ problems: inout [Diagnostic]
  ) -> ModelFile.Calibration? {
    // Its shape was checked with the rest of the file.
    var checked: [Diagnostic] = []
    let keys = CheckedMapping(value, Language.calibrationFields, &checked)
    var source: ModelFile.Calibration.Source?
    switch (keys["text"], keys["ids"]) {
    case (nil, nil):
      problems.append(
        value.span.error(
          "model.calibration", "calibration needs 'text' or 'ids'", hint: "text: FILE.txt"))
    case (_?, let ids?):
      problems.append(
        ids.span.error(
          "model.calibration", "'text' and 'ids' exclude each other", hint: "keep one of them"))
    case (let text?, nil):
      let path = resolve(text.text ?? "", written: text.span)
      switch (path as NSString).pathExtension {
      case "txt": source = .text(path)
      case "jsonl": source = .documents(path)
      default:
        problems.append(
          text.span.error(
            "model.calibration", "calibration text must be a .txt or .jsonl file, found '\(path)'"))
      }
      checkFile(path, text.span, &problems)
    case (nil, let ids?):
      let path = resolve(ids.text ?? "", written: ids.span)
      source = .ids(path)
      checkFile(path, ids.span, &problems)
    }
    return source.map { source in
      var result = ModelFile.Calibration(
        source: source, written: (keys["text"] ?? keys["ids"])?.text)
      if let skip = keys.integer("skip") { result.skip = skip }
      if let tokens = keys.integer("tokens") { result.tokens = tokens }
      if let window = keys.integer("window") { result.window = window }
      if let seed = keys.integer("seed") { result.seed = seed }
      return result
    }
  }

  private static func checkFile(
    _ path: String, _ span: SourceSpan, _ problems: inout [Diagnostic]
  ) {
    if !FileManager.default.fileExists(atPath: path) || isFolder(path) {
      problems.append(missing(path, "file", at: span))
    }
  }
}
