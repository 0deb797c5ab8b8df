import IRCSupport

extension YAMLFailure {
  /// The failure at its place, in words for someone who wrote the file and never saw a YAML parser.
  func diagnostic(_ text: String, _ positions: TextPositions) -> Diagnostic {
    let scalars = text.unicodeScalars
    let place = scalars.index(scalars.startIndex, offsetBy: index, limitedBy: scalars.endIndex)
    let character = place.flatMap { $0 < scalars.endIndex ? scalars[$0] : nil }
    let (message, hint) = words(character)
    // What is wrong about a name after '*' or '&' is that there is no such thing.
    let isReference = context?.hasSuffix("alias") == true || context?.hasSuffix("anchor") == true
    let first = isReference ? contextIndex : index
    let span = positions.span(from: first, to: first + 1)
    var notes: [String] = []
    if contextIndex != index, !isReference, let begun {
      let begin = positions.span(from: contextIndex, to: contextIndex + 1)
      notes = ["\(begun) begins at \(begin.location)"]
    }
    let id = problem == "too deep" ? "yaml.too-deep" : "yaml.syntax"
    return span.error(id, message, hint: hint, notes: notes)
  }

  /// What was being read, in our words.
  private var begun: String? {
    guard let context else { return nil }
    let subjects = [
      ("sequence", "the list"), ("mapping", "the mapping"), ("quoted scalar", "the quoted text"),
      ("block scalar", "the text"), ("plain scalar", "the text"), ("key", "the key"),
    ]
    return subjects.first { context.contains($0.0) }?.1
  }

  private func words(_ character: Unicode.Scalar?) -> (message: String, hint: String?) {
    if problem == "too deep" {
      return ("more than \(YAMLDocument.maximumDepth) lists and mappings inside each other", nil)
    }
    if problem.contains("tab character") || (character == "\t" && problem.contains("cannot start"))
    {
      return ("a tab where spaces must be", "indent with spaces")
    }
    if problem.contains("alphabetic or numeric"), context?.contains("alias") == true {
      return ("'*' begins an alias here", "quote text that starts with '*'")
    }
    if problem.contains("alphabetic or numeric") {
      return ("'&' begins an anchor here", "quote text that starts with '&'")
    }
    if problem.contains("cannot start any token"), let character {
      return ("text cannot begin with '\(character)'", "put it in quotes")
    }
    if problem.contains("control characters") {
      return ("a control character", "remove it")
    }
    guard let entry = Self.dictionary.first(where: { problem.contains($0.theirs) }) else {
      return ("not valid YAML: \(problem)", nil)
    }
    return (entry.ours, entry.hint)
  }

  private static let dictionary: [(theirs: String, ours: String, hint: String?)] = [
    (
      "mapping values are not allowed", "a ':' where no key can be",
      "check the indentation, or quote text that contains ': '"
    ),
    ("could not find expected ':'", "a key without ':'", "write 'key: value'"),
    (
      "block sequence entries are not allowed", "a list entry where none can be",
      "put '-' on its own line"
    ),
    ("mapping keys are not allowed", "a key where none can be", "check the indentation"),
    ("found unexpected end of stream", "the text ends inside quotes", "close the quotes"),
    ("found unexpected document indicator", "a document ends inside quotes", "close the quotes"),
    (
      "found unknown escape character", "an unknown escape after '\\'",
      "use single quotes for a plain '\\'"
    ),
    ("did not find expected hexdecimal", "an escape that needs hexadecimal digits", nil),
    ("invalid Unicode character escape", "an escape that names no character", nil),
    (
      "did not find expected key", "expected a key of the mapping",
      "check the indentation and the quotes"
    ),
    (
      "did not find expected '-' indicator", "expected another list entry with '-'",
      "check the indentation"
    ),
    ("did not find expected node content", "expected a value", nil),
    ("did not find expected ',' or ']'", "expected ',' or ']'", "is the list closed?"),
    ("did not find expected ',' or '}'", "expected ',' or '}'", "is the mapping closed?"),
    (
      "did not find expected <document start>", "text after the end of the document",
      "check the indentation"
    ),
    ("found undefined tag handle", "tags are not supported", "quote text that starts with '!'"),
  ]
}
