import Foundation

/// A file's bytes, mapped into memory read-only: pages come in when they are touched.
///
/// SAFETY: the mapping is read-only and lives exactly as long as the object, so sharing it between threads is sound.
@safe
public final class MappedFile: @unchecked Sendable {
  /// Path that was opened.
  public let path: String
  /// The bytes; valid for as long as this object lives.
  public let bytes: UnsafeRawBufferPointer
  /// How many there are.
  public var byteCount: Int { unsafe bytes.count }
  /// Which file it was when it was mapped; nil for a temporary one without a name.
  public let identity: FileIdentity?

  /// Maps the whole file.
  ///
  /// - Throws: `Diagnostic` `file.unreadable` when it cannot be opened, is not a regular file or cannot be mapped.
  public init(path: String) throws {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw MappedFile.failure(path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw MappedFile.failure(path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Diagnostic("file.unreadable", "'\(path)' is not a regular file")
    }
    self.path = path
    identity = FileIdentity(status)
    let size = Int(status.st_size)
    if size == 0 {
      unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let start = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard unsafe start != MAP_FAILED else { throw MappedFile.failure(path, errno) }
    unsafe bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// Writes bytes into a nameless temporary file and maps it, so that they take room on disk while memory is short.
  ///
  /// - Throws: `Diagnostic` `file.unwritable` when there is no room for it.
  public init(scratch contents: UnsafeRawBufferPointer) throws {
    path = FileManager.default.temporaryDirectory.path
    identity = nil
    let descriptor = MappedFile.scratch(in: path)
    guard descriptor >= 0 else { throw MappedFile.unwritable(path, errno) }
    defer { close(descriptor) }
    var done = 0
    while done < contents.count {
      let count = unsafe write(
        descriptor, contents.baseAddress.map { unsafe $0 + done }, contents.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw MappedFile.unwritable(path, errno) }
      done += count
    }
    if unsafe contents.isEmpty {
      unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let start = unsafe mmap(nil, contents.count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard unsafe start != MAP_FAILED else { throw MappedFile.unwritable(path, errno) }
    unsafe bytes = UnsafeRawBufferPointer(start: start, count: contents.count)
  }

  deinit {
    if let start = unsafe bytes.baseAddress {
      unsafe munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    }
  }

  /// Opens a file that has no name, so that it goes away however the process ends; below 0 with `errno` where that fails.
  private static func scratch(in folder: String) -> Int32 {
    // The flags of O_TMPFILE, whose name C composes of two.
    let nameless = unsafe open(folder, O_RDWR | O_CLOEXEC | 0o20_000_000 | O_DIRECTORY, 0o600)
    if nameless >= 0 { return nameless }
    // Not every file system makes files without a name.
    var template = Array("\(folder)/irc-XXXXXX".utf8CString)
    let named = unsafe mkstemp(&template)
    if named >= 0 { unsafe _ = unlink(template) }
    return named
  }

  private static func unwritable(_ path: String, _ code: Int32) -> Diagnostic {
    Diagnostic(
      "file.unwritable", "cannot keep a temporary file in '\(path)': \(systemMessage(code))",
      hint: "make room there, or let TMPDIR name another folder")
  }

  private static func failure(_ path: String, _ code: Int32) -> Diagnostic {
    Diagnostic("file.unreadable", "cannot read '\(path)': \(systemMessage(code))")
  }
}

/// The system's words for an `errno` value.
public func systemMessage(_ code: Int32) -> String {
  unsafe String(cString: strerror(code))
}
