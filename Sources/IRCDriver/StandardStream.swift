import Foundation
import IRCSupport

/// Standard output and error, written at once so that text and progress keep their order.
package enum StandardStream {
  /// Writes a result to standard output.
  ///
  /// A reader that went away, as `head` does, has all that it wanted.
  ///
  /// - Throws: `Diagnostic` `output.unwritable`, for example when the disk is full.
  package static func output(_ text: String) throws {
    let code = write(text, to: STDOUT_FILENO)
    if code == 0 || code == EPIPE { return }
    throw Diagnostic(
      "output.unwritable", "cannot write the result to standard output: \(systemMessage(code))",
      hint: "what was written is not complete; free space or write elsewhere")
  }

  /// Writes messages and progress to standard error; nobody could be told of a failure, so there is none.
  package static func error(_ text: String) {
    _ = write(text, to: STDERR_FILENO)
  }

  /// Writes everything; the `errno` of what failed, else 0.
  private static func write(_ text: String, to descriptor: Int32) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while unsafe !rest.isEmpty {
        let count = unsafe Foundation.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
          if errno == EINTR { continue }
          return errno
        }
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      }
      return 0
    }
  }
}
