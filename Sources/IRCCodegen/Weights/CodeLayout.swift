import CKernels
import IRCGraph
import IRCOps
import IRCQuant

/// How the codes of a matrix lie in the weights file, as `irc_layout` in `irc_kernels.h` describes.
enum CodeLayout: String, Hashable {
  /// Row after row.
  case rows
  /// Sixteen rows side by side: what products read fastest.
  case panels

  var kernelType: irc_layout {
    switch self {
    case .rows: IRC_LAYOUT_ROWS
    case .panels: IRC_LAYOUT_PANELS
    }
  }

  /// Name of the layout in C.
  var cName: String {
    switch self {
    case .rows: "IRC_LAYOUT_ROWS"
    case .panels: "IRC_LAYOUT_PANELS"
    }
  }

  /// The layout of a matrix of codes: panels if a product reads it, its groups fill steps of a panel, and the rows that fill the
  /// last panel up are few.
  ///
  /// - Parameters:
  ///   - group: Columns that share a scale.
  init(
    of codes: ValueID, _ spec: QuantizationSpec, rows: Int, columns: Int, group: Int, _ graph: Graph
  ) {
    let isRead = graph.operations.contains {
      $0.op is any ProductOfCodes && $0.operands.contains(codes)
    }
    let stored = irc_stored_rows(rows, IRC_LAYOUT_PANELS)
    let fits = group >= columns || group % Int(IRC_PANEL_ROWS) == 0
    self = isRead && !spec.format.isFitted && fits && 4 * stored <= 5 * rows ? .panels : .rows
  }
}

/// A product with quantized weights, whatever else its kernel does.
protocol ProductOfCodes {}

extension IntegerLinear: ProductOfCodes {}
extension DequantizingLinear: ProductOfCodes {}
extension Branched: ProductOfCodes {}
