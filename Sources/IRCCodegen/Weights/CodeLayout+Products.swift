import CKernels
import IRCGraph
import IRCOps
import IRCQuant

extension CodeLayout {
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

  /// The layout of a matrix of codes: panels if a product reads it and can.
  init(of codes: ValueID, _ spec: QuantizationSpec, rows: Int, columns: Int, _ graph: Graph) {
    let isRead = graph.operations.contains {
      $0.op is any ProductOfCodes && $0.operands.contains(codes)
    }
    let fits = CodeLayout.obstacleToPanels(spec, rows: rows, columns: columns) == nil
    self = isRead && fits ? .panels : .rows
  }
}

/// A product with quantized weights, whatever else its kernel does.
protocol ProductOfCodes {}

extension IntegerLinear: ProductOfCodes {}
extension DequantizingLinear: ProductOfCodes {}
extension Branched: ProductOfCodes {}
