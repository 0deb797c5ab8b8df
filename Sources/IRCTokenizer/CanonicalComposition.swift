/// Canonical composition (NFC) after Unicode 9.0, the version that the reference library follows.
///
/// Foundation's own composes U+10041 as if it were U+0041, and newer data would order newer marks.
enum CanonicalComposition {
  /// The composed form of valid UTF-8.
  static func apply(_ bytes: [UInt8]) -> [UInt8] {
    // Nothing below U+0300 (lead byte 0xCC) changes or combines with its neighbours.
    if !bytes.contains(where: { $0 >= 0xCC }) { return bytes }
    var decomposed: [Mark] = []
    decomposed.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      let (value, length) = UTF8Scan.scalar(bytes, position)
      decompose(value, into: &decomposed)
      position += length
    }
    order(&decomposed)
    var composed: [UInt8] = []
    composed.reserveCapacity(bytes.count)
    for value in compose(decomposed) { UTF8Scan.append(value, to: &composed) }
    return composed
  }

  /// A scalar value with its canonical combining class.
  private struct Mark {
    var value: UInt32
    var combining: UInt8

    init(_ value: UInt32) {
      self.value = value
      combining = CanonicalComposition.combiningClass(value)
    }
  }

  private static func combiningClass(_ value: UInt32) -> UInt8 {
    guard value >= 0x300, let properties = Unicode.Scalar(value)?.properties else { return 0 }
    let combining = properties.canonicalCombiningClass.rawValue
    guard combining != 0, let age = properties.age, age.major <= 9 else { return 0 }
    return combining
  }

  private static func decompose(_ value: UInt32, into marks: inout [Mark]) {
    if value < 0xC0 {
      marks.append(Mark(value))
    } else if let syllable = Hangul.decompose(value) {
      for part in syllable { marks.append(Mark(part)) }
    } else if let (first, second) = table.parts[value] {
      decompose(first, into: &marks)
      if let second { decompose(second, into: &marks) }
    } else {
      marks.append(Mark(value))
    }
  }

  /// Sorts each run of combining marks by class; equal classes keep their order.
  private static func order(_ marks: inout [Mark]) {
    var start = 0
    while start < marks.count {
      guard marks[start].combining != 0 else {
        start += 1
        continue
      }
      let end = marks[start...].firstIndex { $0.combining == 0 } ?? marks.count
      if end - start > 1 {
        let sorted = marks[start..<end].enumerated().sorted {
          ($0.element.combining, $0.offset) < ($1.element.combining, $1.offset)
        }
        marks.replaceSubrange(start..<end, with: sorted.map(\.element))
      }
      start = end
    }
  }

  private static func compose(_ marks: [Mark]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(marks.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for mark in marks {
      if let place = starter, place == result.count - 1 || lastClass < mark.combining,
        let composite = composite(result[place], mark.value)
      {
        result[place] = composite
        continue
      }
      if mark.combining == 0 { starter = result.count }
      lastClass = mark.combining
      result.append(mark.value)
    }
    return result
  }

  private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if let syllable = Hangul.compose(first, second) { return syllable }
    return table.composites[UInt64(first) << 32 | UInt64(second)]
  }

  private struct Table {
    var parts: [UInt32: (UInt32, UInt32?)] = [:]
    var composites: [UInt64: UInt32] = [:]

    init() {
      for (text, composes) in [(Decompositions.composing, true), (Decompositions.excluded, false)] {
        for entry in text.split(separator: " ") {
          let numbers = entry.split { $0 == "=" || $0 == "+" }.compactMap { UInt32($0, radix: 16) }
          guard numbers.count >= 2 else { continue }
          let second = numbers.count > 2 ? numbers[2] : nil
          parts[numbers[0]] = (numbers[1], second)
          if composes, let second {
            composites[UInt64(numbers[1]) << 32 | UInt64(second)] = numbers[0]
          }
        }
      }
    }
  }

  private static let table = Table()
}

/// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
private enum Hangul {
  static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
  static let leads: Range<UInt32> = 0x1100..<0x1113
  static let vowels: Range<UInt32> = 0x1161..<0x1176
  /// Trailing consonants; the value before them stands for none.
  static let trails: Range<UInt32> = 0x11A8..<0x11C3

  static func decompose(_ value: UInt32) -> [UInt32]? {
    guard syllables.contains(value) else { return nil }
    let index = value - syllables.lowerBound
    let pair = [leads.lowerBound + index / (21 * 28), vowels.lowerBound + index % (21 * 28) / 28]
    return index % 28 == 0 ? pair : pair + [trails.lowerBound - 1 + index % 28]
  }

  static func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leads.contains(first), vowels.contains(second) {
      let lead = first - leads.lowerBound
      return syllables.lowerBound + (lead * 21 + second - vowels.lowerBound) * 28
    }
    if syllables.contains(first), trails.contains(second),
      (first - syllables.lowerBound) % 28 == 0
    {
      return first + second - (trails.lowerBound - 1)
    }
    return nil
  }
}
