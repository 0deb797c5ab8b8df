/// Ways of cutting encoded text into windows, each of which is predicted from a fresh state.
///
/// Every window of n ids predicts n − 1 of them: the first is only read.
public enum EvaluationWindows {
  /// One window for each document: the start id in front, then as many ids as make at most `context` predictions.
  ///
  /// Documents without any id predict nothing and are left out.
  public static func documents(
    _ documents: [[Int32]], start: Int32, context: Int
  ) -> [[Int32]] {
    documents.filter { !$0.isEmpty }.map { [start] + $0.prefix(context) }
  }

  /// Windows of `context` predictions at a stride of `context` over one long text: neighbours share one id, so that every id but
  /// the first is predicted once.
  ///
  /// - Parameter limit: how many windows to take; nil for all. The last window of a text is usually shorter; it counts like the
  ///   others unless the limit stops before it, and the published figures stop after 200 full windows.
  public static func text(_ ids: [Int32], context: Int, limit: Int? = nil) -> [[Int32]] {
    guard context > 0 else { return [] }
    var windows: [[Int32]] = []
    var start = 0
    while start + 1 < ids.count, windows.count < limit ?? Int.max {
      let end = context < ids.count - start ? start + context + 1 : ids.count
      windows.append(Array(ids[start..<end]))
      start = end - 1
    }
    return windows
  }
}
