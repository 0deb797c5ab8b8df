import IRCSupport

/// How a command ends that threw: with messages for the user and exit code 1, or, for an error that nothing should have let
/// through, as a defect of irc with exit code 70.
package struct Failure: Sendable, Hashable {
  /// What standard error gets, with a newline at the end.
  package let text: String
  /// Exit code of the program.
  package let code: Int32

  /// Judges an error that a command threw.
  package init(_ error: any Error) {
    switch error {
    case is DiagnosticList, is Diagnostic:
      text = "\(error)\n"
      code = 1
    default:
      text = """
        internal: \(error)
          note: this is a defect of irc; please report it with the command

        """
      code = 70
    }
  }
}
