import Foundation

/// Standard output and error, written at once so that text and progress keep their order.
enum StandardStream {
  case output, error

  func write(_ text: String) {
    let handle = self == .output ? FileHandle.standardOutput : FileHandle.standardError
    // A reader that went away is no error of ours.
    try? handle.write(contentsOf: Data(text.utf8))
  }
}
