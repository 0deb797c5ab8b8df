import Foundation

/// Files that are written beside their place and moved in only when all of them are complete.
///
/// Nothing of an earlier output is touched until `commit`; a file whose bytes did not change keeps its time stamp; a run that
/// fails or is dropped leaves no half-written file; what a run that was killed left goes with one that comes an hour later. For the same reason
/// a run must not work for more than an hour between the last touch of a staged file and `commit`: a run of another machine or container, which
/// cannot see that this one lives, would take the file for one left behind, and `commit` would find it gone.
///
/// Files move one by one, so a process that is killed within `commit` leaves a folder with some files of the earlier output and some of the
/// new one, each of them whole. Whoever reads such a folder can tell: the manifest has the digests of all files of one output.
public final class OutputFiles {
  /// Folder that the files go to; made on first use.
  public let directory: String
  private var staged: [(name: String, temporary: String, file: StagedFile)] = []
  private var unwanted: [String] = []
  /// True once the folder was rid of what runs left that were killed.
  private var isSwept = false

  /// Prepares to write into `directory`; touches nothing yet.
  public init(directory: String) {
    self.directory = directory
  }

  deinit {
    discard()
  }

  /// Writes `contents` to the staged file `name` in one go.
  ///
  /// - Throws: `Diagnostic` `output.unwritable` with the system's reason.
  public func write(_ name: String, _ contents: String) throws {
    let file = try open(name)
    try unsafe Array(contents.utf8).withUnsafeBytes { try unsafe file.append($0) }
    try file.close()
  }

  /// Opens the staged file `name` for streaming; close it before `commit`.
  ///
  /// - Throws: `Diagnostic` `output.duplicate` when there is a staged file of that name, `output.unwritable` with the system's
  ///   reason.
  public func open(_ name: String) throws -> StagedFile {
    if staged.contains(where: { $0.name == name }) {
      throw Diagnostic(
        "output.duplicate", "the file '\(name)' is written twice",
        hint: "let one exporter of a kind run, once")
    }
    try makeDirectory()
    let temporary = "\(directory)/\(PartialFile.name(of: name))"
    let file = try StagedFile(path: temporary, shownAs: "\(directory)/\(name)")
    staged.append((name, temporary, file))
    return file
  }

  /// Lets `commit` remove the file `name` of an earlier output, unless a file of that name is staged by then.
  ///
  /// Anything but the name of a file in the folder itself is left alone.
  public func remove(_ name: String) {
    if !name.isEmpty, !name.hasPrefix("."), !name.contains("/") { unwanted.append(name) }
  }

  /// One file as it will be.
  public struct Summary: Sendable {
    /// Its name.
    public let name: String
    /// Its size.
    public let byteCount: Int
    /// SHA-256 of its bytes.
    public let digest: SHA256.Digest
  }

  /// The staged files that are closed, in the order in which they were opened.
  public var summaries: [Summary] {
    staged.compactMap { name, _, file in
      file.digest.map { Summary(name: name, byteCount: file.size, digest: $0) }
    }
  }

  /// Makes the folder, with those that it lies in.
  private func makeDirectory() throws {
    if directory.isEmpty {
      throw Diagnostic(
        "output.unwritable", "the output folder has no name",
        hint: "name one with -o, such as -o build/model")
    }
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw OutputFiles.failure(directory, OutputFiles.reason(directory))
    }
    if !isSwept {
      PartialFile.removeAbandoned(in: directory)
      isSwept = true
    }
  }

  /// The `errno` value of why a folder cannot be made, which what is thrown does not tell.
  private static func reason(_ directory: String) -> Int32 {
    var path = directory
    while true {
      let code = unsafe mkdir(path, 0o777) == 0 ? EIO : errno
      // What is in the way of a folder is no folder.
      if code == EEXIST { return ENOTDIR }
      guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
        return code
      }
      path = String(path[..<slash])
    }
  }

  /// Moves every staged file into place and returns the names of those whose bytes changed.
  ///
  /// Files of an earlier output that were to be removed go at the same time. All or nothing: a place that cannot take its file is
  /// found before anything is moved, and when a move fails all the same the earlier files come back.
  ///
  /// - Throws: `Diagnostic` `output.unwritable` when a file cannot be moved.
  @discardableResult
  public func commit() throws -> [String] {
    var moves: [Move] = []
    for (name, temporary, _) in staged {
      let final = "\(directory)/\(name)"
      if OutputFiles.holdSameBytes(temporary, final) { continue }
      try OutputFiles.checkPlace(final)
      moves.append(Move(name: name, temporary: temporary, final: final))
    }
    let written = moves.count
    for name in Set(unwanted).subtracting(staged.map(\.name)).sorted() {
      let final = "\(directory)/\(name)"
      guard OutputFiles.isFile(final) else { continue }
      moves.append(
        Move(
          name: name, temporary: "\(directory)/\(PartialFile.name(of: name))", final: final,
          removes: true))
    }
    for (index, move) in moves.enumerated() {
      let code = move.make()
      if code == 0 { continue }
      for earlier in moves[..<index].reversed() { earlier.undo() }
      throw OutputFiles.failure(move.final, code)
    }
    for move in moves { move.finish() }
    // What is left are files that equal those in place.
    discard()
    return moves[..<written].map(\.name)
  }

  /// True if there is a file at the path, or a link to one.
  private static func isFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Complains of a place that holds anything but a file, which no file could replace.
  private static func checkPlace(_ path: String) throws {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFREG, S_IFLNK: return
    case S_IFDIR: throw failure(path, EISDIR)
    default: throw failure(path, EEXIST)
    }
  }

  /// True if both files are there and have the same bytes.
  private static func holdSameBytes(_ first: String, _ second: String) -> Bool {
    guard let a = try? MappedFile(path: first), let b = try? MappedFile(path: second),
      unsafe a.bytes.count == b.bytes.count
    else { return false }
    guard let start = unsafe a.bytes.baseAddress, let other = unsafe b.bytes.baseAddress else {
      return true
    }
    return unsafe memcmp(start, other, a.bytes.count) == 0
  }

  /// Removes whatever was staged and not committed.
  public func discard() {
    for (_, temporary, _) in staged { unsafe unlink(temporary) }
    staged = []
    unwanted = []
  }

  static func failure(_ path: String, _ code: Int32) -> Diagnostic {
    Diagnostic(
      "output.unwritable", "cannot write '\(path)': \(systemMessage(code))",
      hint: "choose another folder with -o, or free space")
  }
}

/// One staged file on its way into place, with what it replaces kept until all are there.
private struct Move {
  let name: String
  let temporary: String
  let final: String
  /// True if nothing comes into the place of the earlier file.
  let removes: Bool
  /// Where the earlier file is kept.
  private var backup: String { temporary + PartialFile.earlier }

  init(name: String, temporary: String, final: String, removes: Bool = false) {
    self.name = name
    self.temporary = temporary
    self.final = final
    self.removes = removes
  }

  /// Moves the file; the `errno` of what failed, after which everything is as it was, else 0.
  func make() -> Int32 {
    // Where another process was faster, the file is gone all the same.
    if removes { return unsafe rename(final, backup) == 0 || errno == ENOENT ? 0 : errno }
    // A second name for the earlier file, so that there is one in place at any time; without links it is moved aside.
    if unsafe link(final, backup) != 0, errno != ENOENT, unsafe rename(final, backup) != 0,
      errno != ENOENT
    {
      return errno
    }
    if unsafe rename(temporary, final) == 0 { return 0 }
    let code = errno
    undo()
    return code
  }

  /// Brings the earlier file back, or leaves none if there was none.
  func undo() {
    if unsafe rename(backup, final) == 0 {
      // Two names of one file are left as they are.
      unsafe unlink(backup)
    } else if !removes {
      unsafe unlink(final)
    }
  }

  /// Drops the earlier file.
  func finish() { unsafe unlink(backup) }
}

/// One output file that is being written beside its final place.
public final class StagedFile {
  /// Number of bytes appended so far.
  public private(set) var size = 0
  /// SHA-256 of the bytes; nil before the file is closed.
  public private(set) var digest: SHA256.Digest?
  private var hash = SHA256()
  private var descriptor: Int32
  private let shownAs: String

  init(path: String, shownAs: String) throws {
    descriptor = unsafe Foundation.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    self.shownAs = shownAs
    guard descriptor >= 0 else { throw OutputFiles.failure(shownAs, errno) }
  }

  deinit {
    if descriptor >= 0 { _ = Foundation.close(descriptor) }
  }

  /// Appends bytes.
  ///
  /// - Throws: `Diagnostic` `output.unwritable`, for example when the disk is full.
  public func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = unsafe bytes
    while unsafe !rest.isEmpty {
      let count = unsafe Foundation.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw OutputFiles.failure(shownAs, errno)
      }
      unsafe hash.add(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      size += count
    }
  }

  /// Appends zeros until the size is a multiple of `alignment`.
  public func align(to alignment: Int) throws {
    let gap = (alignment - size % alignment) % alignment
    if gap > 0 {
      try unsafe [UInt8](repeating: 0, count: gap).withUnsafeBytes { try unsafe append($0) }
    }
  }

  /// Ends the file.
  ///
  /// - Throws: `Diagnostic` `output.unwritable` when the last bytes cannot be stored.
  public func close() throws {
    let code = Foundation.close(descriptor)
    descriptor = -1
    guard code == 0 else { throw OutputFiles.failure(shownAs, errno) }
    digest = hash.digest()
  }
}
