/// A float constant in C that reads back exactly: the shortest decimal that does, or a name of `math.h`.
func floatLiteral(_ value: Float) -> String {
  if value.isNaN { return "NAN" }
  if value.isInfinite { return value < 0 ? "-INFINITY" : "INFINITY" }
  return "\(value)f"
}

/// A double constant in C that reads back exactly.
func doubleLiteral(_ value: Double) -> String { "\(value)" }

/// Text that cannot end a C comment or continue a line.
func commentText(_ text: String) -> String {
  String(
    text.unicodeScalars.map { scalar -> Character in
      scalar.value < 0x20 || scalar.value == 0x7F || scalar == "\\" ? "?" : Character(scalar)
    }
  ).replacing("*/", with: "* /").replacing("/*", with: "/ *")
}

/// A line comment of several words broken into lines of at most about 100 columns.
func comment(_ text: String, indent: String) -> [String] {
  var lines: [String] = []
  var line = "\(indent)//"
  for word in commentText(text).split(separator: " ") {
    if line.count + word.count + 1 > 110, line != "\(indent)//" {
      lines.append(line)
      line = "\(indent)//  "
    }
    line += " \(word)"
  }
  return lines + [line]
}

/// Breaks a C statement after commas so that lines stay within about 100 columns.
func wrapped(_ statement: String, indent: String) -> [String] {
  var lines: [String] = []
  var line = indent
  for (index, part) in statement.split(separator: ", ", omittingEmptySubsequences: false)
    .enumerated()
  {
    let piece = (index == 0 ? "" : ", ") + part
    if line.count + piece.count > 108, index > 0 {
      lines.append(line + ",")
      line = indent + "  " + part
    } else {
      line += piece
    }
  }
  return lines + [line]
}
