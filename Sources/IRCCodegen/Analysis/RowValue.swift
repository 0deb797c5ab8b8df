/// C type of one element of a run-time value.
enum CType: String {
  case float
  case int8 = "int8_t"
  case int32 = "int32_t"

  var byteCount: Int { self == .int8 ? 1 : 4 }
}

/// A run-time value as the kernels see it: rows of `columns` elements that lie `stride` elements apart.
struct RowValue: Hashable {
  /// Which memory the rows are in.
  enum Home: Hashable {
    /// A buffer of the arena, one row a token.
    case arena(Int)
    /// A state of fixed size.
    case state(Int)
    /// A state that grows by a row a token.
    case cache(Int)
    /// The caller's token ids.
    case ids
    /// The logits that are asked for.
    case logits
  }

  /// Name of the C variable.
  var name: String
  var type: CType
  var home: Home
  /// Elements before the first column in a row.
  var offset = 0
  var columns: Int
  var stride: Int
}

/// A buffer of the arena.
struct ArenaBuffer {
  /// Name of the value that it was made for.
  var name: String
  var type: CType
  /// Elements of a row.
  var stride: Int
  /// Steps between which it is needed, both included.
  var life: ClosedRange<Int>
  /// Where it starts in the arena; set by the memory plan.
  var offset = 0

  /// Bytes for `tokens` rows.
  func bytes(tokens: Int) -> Int { aligned(tokens * stride * type.byteCount) }
}

/// A state of the model in the context.
struct StateBuffer {
  /// Name in the graph.
  var name: String
  var type: CType
  /// Elements, of a row if it grows.
  var count: Int
  /// True if it has a row for every token so far.
  var grows: Bool
  /// Elements (of a row, if it grows) of the states of its kind that lie before it.
  var offset: Int
}

extension Array where Element == ArenaBuffer {
  /// Gives each buffer a place such that buffers that live at the same time do not overlap; returns the bytes needed.
  ///
  /// The largest go first, each to the lowest place that is free for as long as it lives.
  mutating func plan(tokens: Int) -> Int {
    let order = indices.sorted {
      let (a, b) = (self[$0].bytes(tokens: tokens), self[$1].bytes(tokens: tokens))
      return (-a, $0) < (-b, $1)
    }
    var placed: [Int] = []  // by offset
    var total = 0
    for index in order {
      let bytes = self[index].bytes(tokens: tokens)
      var offset = 0
      for other in placed where self[other].life.overlaps(self[index].life) {
        if self[other].offset >= offset + bytes { break }
        offset = Swift.max(offset, self[other].offset + self[other].bytes(tokens: tokens))
      }
      self[index].offset = offset
      total = Swift.max(total, offset + bytes)
      let place = placed.firstIndex { self[$0].offset > offset } ?? placed.count
      placed.insert(index, at: place)
    }
    return total
  }
}
