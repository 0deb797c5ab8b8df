import IRCDriver
import IRCSupport
import Testing

@Suite("How commands end that throw")
struct FailureTests {
  private struct Surprise: Error {}

  @Test("Diagnostics are the user's matter")
  func diagnostics() {
    let diagnostic = Diagnostic("some.id", "something is wrong")
    for error in [diagnostic, DiagnosticList([diagnostic])] as [any Error] {
      #expect(Failure(error).code == 1)
      #expect(Failure(error).text == "error: something is wrong [some.id]\n")
    }
  }

  @Test("Any other error is a defect of irc")
  func defects() {
    #expect(Failure(Surprise()).code == 70)
    #expect(Failure(Surprise()).text.hasPrefix("internal: Surprise()\n"))
  }
}
