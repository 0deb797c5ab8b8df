import Foundation
import Synchronization

/// Tells the user on standard error how long work goes on: a bar on a terminal, plain lines elsewhere, nothing when quiet.
package final class Reporter: Sendable {
  private struct State {
    var label = ""
    var shownPercent = -1
  }

  private let isQuiet: Bool
  private let isTerminal: Bool
  private let state = Mutex(State())

  /// Makes a reporter.
  package init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  /// Writes a line.
  package func note(_ line: String) {
    if !isQuiet { write((isTerminal ? "\r\u{1B}[K" : "") + line + "\n") }
  }

  /// Shows how far work has come; call it as often as you like.
  package func progress(_ label: String, _ done: Int, of total: Int) {
    guard !isQuiet, total > 0 else { return }
    let percent = done * 100 / total
    let isNew = state.withLock { state in
      let step = isTerminal ? 1 : 25
      let isDue =
        state.label != label || (percent / step != state.shownPercent / step) || done == total
      if isDue { state = State(label: label, shownPercent: percent) }
      return isDue
    }
    guard isNew else { return }
    if isTerminal {
      let filled = percent * 30 / 100
      let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: 30 - filled)
      write("\r\u{1B}[K\(label) [\(bar)] \(percent) %" + (done == total ? "\n" : ""))
    } else {
      write("\(label): \(percent) %\n")
    }
  }

  private func write(_ text: String) { StandardStream.error(text) }
}
