package import IRCPassKit
package import IRCPassManager
import IRCSupport

/// Passes written on one line, as in `fold-norm-gains,quantize{scheme: w8a8}`.
package enum TextualPasses {
  /// Parses the text and sets the options.
  ///
  /// - Throws: `DiagnosticList` with every error, placed in the text (called `--passes`).
  package static func read(
    _ text: String, registry: PassRegistry, shipped: ShippedFiles
  ) throws -> [PassInstance] {
    let (asked, found) = Self.requests(text, as: "--passes")
    var requests = asked
    requests.number()
    var binder = PassBinder(registry: registry, shipped: shipped, files: SourceFiles())
    binder.bind(requests)
    var problems = ProblemList()
    problems.add(found + binder.problems + binder.files.problems)
    try problems.report(files: ["--passes"] + binder.files.paths)
    return binder.bound
  }

  /// The passes as asked for, not yet looked up or numbered, and what is wrong with the text.
  ///
  /// - Parameter name: the command's option that the text was given with; places in the text are called by it.
  static func requests(
    _ text: String, as name: String
  ) -> (requests: [PassRequest], problems: [Diagnostic]) {
    let line = text.replacing("\r\n", with: " ").replacing("\n", with: " ")
    var scanner = Scanner(file: TextFile(path: name, text: line), characters: Array(line))
    let requests = scanner.requests()
    return (requests, scanner.problems)
  }

  /// Writes passes so that `read` gives them again; options at their default are left out unless asked for.
  package static func text(of passes: [any DeclaredPass], includingDefaults: Bool = false) -> String
  {
    passes.map { pass in
      let defaults = pass.withDefaults.options.map(\.text)
      let written = zip(pass.options, defaults).compactMap { option, standard in
        includingDefaults || option.text != standard ? "\(option.key): \(option.text)" : nil
      }
      let name = pass.info.name
      return written.isEmpty ? name : "\(name){\(written.joined(separator: ", "))}"
    }.joined(separator: ",")
  }

  private struct Scanner {
    let file: TextFile
    let characters: [Character]
    var position = 0
    var problems: [Diagnostic] = []

    init(file: TextFile, characters: [Character]) {
      self.file = file
      self.characters = characters
    }

    mutating func requests() -> [PassRequest] {
      var result: [PassRequest] = []
      repeat {
        skipSpaces()
        let start = position
        while position < characters.count, isName(characters[position]) { position += 1 }
        let name = String(characters[start..<position])
        if name.isEmpty {
          problems.append(
            span(start, 1).error(
              "passes.syntax", "expected the name of a pass", hint: "PASS,PASS{OPTION: VALUE}"))
          return result
        }
        var request = PassRequest(name: name, nameSpan: span(start, name.count))
        skipSpaces()
        if position < characters.count, characters[position] == "{" {
          request.options = options()
          skipSpaces()
        }
        result.append(request)
        if position < characters.count, characters[position] != "," {
          problems.append(
            span(position, 1).error("passes.syntax", "expected ',' or '{' after '\(name)'"))
          return result
        }
        position += 1
      } while position <= characters.count
      return result
    }

    private mutating func options() -> [OptionValue.Entry] {
      let start = position
      var depth = 0
      var quote: Character?
      var last: Character = " "
      while position < characters.count {
        let character = characters[position]
        position += 1
        if let open = quote {
          if open == "\"", character == "\\" {
            position += 1
          } else if character == open {
            quote = nil
          }
          last = character
          continue
        }
        switch character {
        case "{", "[": depth += 1
        case "}", "]": depth -= 1
        case "\"", "'": if "{[,:".contains(last) { quote = character }
        default: break
        }
        if character != " " { last = character }
        if depth == 0 { break }
      }
      position = min(position, characters.count)
      let text = String(characters[start..<position])
      let document = YAMLDocument(fragment: text, of: file, line: 1, column: start + 1)
      problems += document.problems
      guard let root = document.root else { return [] }
      guard case .mapping(let entries) = root.content else {
        problems.append(root.span.error("passes.syntax", "expected {OPTION: VALUE}"))
        return []
      }
      return entries
    }

    private mutating func skipSpaces() {
      while position < characters.count, characters[position].isWhitespace { position += 1 }
    }

    private func isName(_ character: Character) -> Bool {
      character.isLetter || character.isNumber || character == "-" || character == "_"
    }

    private func span(_ start: Int, _ length: Int) -> SourceSpan {
      SourceSpan(file: file, line: 1, column: start + 1, length: length)
    }
  }
}
