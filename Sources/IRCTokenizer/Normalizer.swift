/// What is done to text before it is cut into words.
indirect enum Normalizer: Sendable {
  case none
  case composition
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])
  case sequence([Normalizer])

  /// The normalised form of valid UTF-8.
  func apply(_ bytes: [UInt8]) -> [UInt8] {
    switch self {
    case .none: bytes
    case .composition: CanonicalComposition.apply(bytes)
    case .prepend(let prefix): bytes.isEmpty ? bytes : prefix + bytes
    case .replace(let pattern, let content): bytes.replacing(pattern, with: content)
    case .sequence(let steps): steps.reduce(bytes) { $1.apply($0) }
    }
  }

  /// The same without the steps that put something in front.
  var withoutPrepend: Normalizer {
    switch self {
    case .prepend: .none
    case .sequence(let steps): .sequence(steps.map(\.withoutPrepend))
    case .none, .composition, .replace: self
    }
  }
}

extension [UInt8] {
  /// The bytes with every `pattern`, found from left to right without overlap, replaced.
  func replacing(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
    guard let first = pattern.first else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var position = 0
    while position < count {
      if self[position] == first, self[position...].starts(with: pattern) {
        result.append(contentsOf: content)
        position += pattern.count
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result
  }
}
