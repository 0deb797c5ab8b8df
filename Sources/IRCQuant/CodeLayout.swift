import CKernels

/// How the codes of a matrix lie in memory, as `irc_layout` in `irc_kernels.h` describes.
public enum CodeLayout: String, Hashable, Sendable {
  /// Row after row.
  case rows
  /// Sixteen rows side by side: what products read fastest.
  case panels
}

extension CodeLayout {
  /// Why a product cannot read these codes in panels; nil if it can.
  ///
  /// - Parameters:
  ///   - rows: Rows of the matrix, of `columns` codes each.
  public static func obstacleToPanels(
    _ spec: QuantizationSpec, rows: Int, columns: Int
  ) -> String? {
    let panel = Int(IRC_PANEL_ROWS)
    if spec.format.isFitted { return "the values of \(spec.format) are the tensor's own" }
    if case .group(let size) = spec.granularity, size < columns, size % panel != 0 {
      return "groups of \(size) columns are no multiple of \(panel)"
    }
    let stored = (rows + panel - 1) / panel * panel
    if 4 * stored > 5 * rows {
      return "\(rows) rows would be filled up to \(stored)"
    }
    return nil
  }
}
