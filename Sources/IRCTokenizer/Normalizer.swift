internal import IRCSupport

/// What is done to text before it is cut into words.
indirect enum Normalizer: Sendable {
  case none
  case composition
  case prepend([UInt8])
  case replace([UInt8], with: [UInt8])
  case sequence([Normalizer])

  /// The normalised form of valid UTF-8.
  ///
  /// - Throws: `Diagnostic` `tokenizer.text-too-long` when it would be very much longer than the text: a few replacements
  ///   that double everything would fill any memory.
  func apply(_ bytes: [UInt8]) throws -> [UInt8] {
    let limit = min(Int(Int32.max), 16 * bytes.count + (1 << 20))
    guard let result = apply(bytes, limit: limit) else {
      throw Diagnostic(
        "tokenizer.text-too-long",
        "a text of \(bytes.count) bytes is more than \(limit) bytes long when normalised",
        hint: "encode it in smaller parts")
    }
    return result
  }

  /// The normalised form; nil when it is longer than `limit`.
  private func apply(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
    switch self {
    case .none: return bytes
    case .composition:
      let composed = CanonicalComposition.apply(bytes)
      return composed.count <= limit ? composed : nil
    case .prepend(let prefix):
      if bytes.isEmpty { return bytes }
      return bytes.count + prefix.count <= limit ? prefix + bytes : nil
    case .replace(let pattern, let content):
      return bytes.replacing(pattern, with: content, limit: limit)
    case .sequence(let steps):
      var result = bytes
      for step in steps {
        guard let next = step.apply(result, limit: limit) else { return nil }
        result = next
      }
      return result
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
  /// The bytes with every `pattern`, found from left to right without overlap, replaced; nil beyond `limit`.
  func replacing(_ pattern: [UInt8], with content: [UInt8], limit: Int) -> [UInt8]? {
    guard let first = pattern.first else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var position = 0
    while position < count {
      if result.count > limit { return nil }
      if self[position] == first, self[position...].starts(with: pattern) {
        result.append(contentsOf: content)
        position += pattern.count
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result.count <= limit ? result : nil
  }
}
