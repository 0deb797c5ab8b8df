import IRCGraph
import IRCTensor

/// Errors that several operators give.
enum OperatorErrors {
  /// Values of the graph are never held in types that only files use.
  static func storedOnly(_ type: ElementType) -> OperatorError {
    OperatorError("values of type \(type.rawValue) exist in files only")
  }
}
