import IRCSupport

/// Line and column of every code point of a text: libyaml counts code points, our columns count characters.
struct TextPositions {
  private let file: TextFile
  private var places: [Place] = []

  private struct Place {
    var line: Int32
    var column: Int32
  }

  /// Measures `text`, which starts at the given place of `file`.
  init(of text: String, in file: TextFile, line: Int = 1, column: Int = 1) {
    self.file = file
    var place = Place(line: Int32(clamping: line), column: Int32(clamping: column))
    places.reserveCapacity(text.utf8.count + 1)
    for character in text {
      for _ in character.unicodeScalars { places.append(place) }
      if character == "\n" || character == "\r\n" {
        place = Place(line: place.line + 1, column: 1)
      } else {
        place.column += 1
      }
    }
    places.append(place)
  }

  /// The characters from one code point up to another; of several lines, what stands on the first.
  func span(from start: Int, to end: Int) -> SourceSpan {
    let (first, last) = (place(start), place(end))
    let length =
      first.line == last.line ? Int(last.column - first.column) : lengthOfRest(from: first)
    return SourceSpan(
      file: file, line: Int(first.line), column: Int(first.column), length: length)
  }

  /// Number of characters from a place to the end of its line; counts the line, so it is asked for only where spans need it.
  private func lengthOfRest(from place: Place) -> Int {
    let line = Int(place.line)
    return line <= file.lines.count ? file.lines[line - 1].count - Int(place.column) + 1 : 1
  }

  private func place(_ index: Int) -> Place {
    places[min(max(0, index), places.count - 1)]
  }
}
