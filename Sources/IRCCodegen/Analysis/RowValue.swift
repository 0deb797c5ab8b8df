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

/// A state of the model in the context.
struct StateBuffer {
  /// Name in the graph.
  var name: String
  var type: CType
  /// Elements, of a row if it grows.
  var count: Int
  /// True if it has a row for every token so far.
  var grows: Bool
  /// Bytes (of a row, if it grows) of the states of its kind that lie before it.
  var offset: Int
}

extension RowValue {
  /// The two arguments of a strided input.
  var strided: [KernelCall.Argument] { [.rows(self), "\(stride)"] }
  /// True if rows follow each other without a gap.
  var isDense: Bool { stride == columns }
}
