/// A BPE model: pieces, merges, and what to do with characters that have no piece.
struct BPEModel: Sendable {
  /// What the first pieces of a word are.
  enum Alphabet: Sendable {
    /// One piece for each byte (nil where the vocabulary has none).
    case bytes([Int32?])
    /// One piece for each character; `fallback`, if complete, spells the others as bytes.
    case characters([UInt32: Int32], fallback: [Int32?])
  }

  var alphabet: Alphabet
  var merges: MergeTable
  /// Piece for what has none.
  var unknown: Int32?
  /// Neighbouring unknown characters become one piece.
  var fusesUnknown: Bool
  /// Words that are a piece as a whole skip the merges; nil when the model has no such rule.
  var wholeWords: [ArraySlice<UInt8>: Int32]?

  /// Appends the ids of one word, a non-empty range of valid UTF-8, to `output`.
  func encode(
    _ bytes: [UInt8], _ word: Range<Int>, _ scratch: inout EncodingScratch,
    to output: inout [Int32]
  ) {
    if let wholeWords, let id = wholeWords[bytes[word]] {
      output.append(id)
      return
    }
    if word.count > WordCache.longestWord {
      merge(bytes, word, &scratch.merger)
      output.append(contentsOf: scratch.merger.ids)
      return
    }
    let hash = WordCache.hash(bytes, word)
    if scratch.cache.append(bytes, word, hash: hash, to: &output) { return }
    merge(bytes, word, &scratch.merger)
    scratch.cache.insert(bytes, word, hash: hash, ids: scratch.merger.ids)
    output.append(contentsOf: scratch.merger.ids)
  }

  private func merge(_ bytes: [UInt8], _ word: Range<Int>, _ merger: inout Merger) {
    merger.ids.removeAll(keepingCapacity: true)
    switch alphabet {
    case .bytes(let pieces): addBytes(bytes, word, pieces, &merger.ids)
    case .characters(let pieces, let fallback):
      addCharacters(bytes, word, pieces, fallback, &merger.ids)
    }
    merger.run(merges)
  }

  private func addBytes(
    _ bytes: [UInt8], _ word: Range<Int>, _ pieces: [Int32?], _ ids: inout [Int32]
  ) {
    var isPending = false
    for place in word {
      if let id = pieces[Int(bytes[place])] {
        flush(&isPending, &ids)
        ids.append(id)
      } else {
        addUnknown(&isPending, &ids)
      }
    }
    flush(&isPending, &ids)
  }

  private func addCharacters(
    _ bytes: [UInt8], _ word: Range<Int>, _ pieces: [UInt32: Int32], _ fallback: [Int32?],
    _ ids: inout [Int32]
  ) {
    var isPending = false
    var position = word.lowerBound
    while position < word.upperBound {
      let (value, length) = UTF8Scan.scalar(bytes, position)
      let character = position..<position + length
      position += length
      if let id = pieces[value] {
        flush(&isPending, &ids)
        ids.append(id)
      } else if !fallback.isEmpty, character.allSatisfy({ fallback[Int(bytes[$0])] != nil }) {
        // A waiting unknown piece stays waiting, so it comes after these: the reference does so.
        for place in character { if let id = fallback[Int(bytes[place])] { ids.append(id) } }
      } else {
        addUnknown(&isPending, &ids)
      }
    }
    flush(&isPending, &ids)
  }

  /// Notes one unknown character; it is written when it is known whether another one follows.
  private func addUnknown(_ isPending: inout Bool, _ ids: inout [Int32]) {
    if !fusesUnknown { flush(&isPending, &ids) }
    isPending = true
  }

  private func flush(_ isPending: inout Bool, _ ids: inout [Int32]) {
    if isPending, let unknown { ids.append(unknown) }
    isPending = false
  }
}

/// Memory that encoding needs, kept from one text to the next.
struct EncodingScratch: Sendable {
  var cache = WordCache()
  var merger = Merger()
}
