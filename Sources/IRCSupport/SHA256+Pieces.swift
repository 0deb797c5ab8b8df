extension SHA256 {
  /// Bytes that are hashed as one. It is part of what a digest is, since the pieces' digests are hashed in turn.
  private static let piece = 4 << 20

  /// The digest of many bytes, hashed in pieces of 4 MiB on all threads: of their number and the pieces' digests in order.
  public static func hashInPieces(_ bytes: UnsafeRawBufferPointer) throws -> Digest {
    let lent = unsafe LentBytes(bytes: bytes)
    let pieces = try Parallel.map((bytes.count + piece - 1) / piece) { index in
      let range = index * piece..<min(lent.count, (index + 1) * piece)
      var hash = SHA256()
      unsafe hash.add(UnsafeRawBufferPointer(rebasing: lent.bytes[range]))
      return hash.digest()
    }
    var hash = SHA256()
    hash.add(bytes.count)
    for piece in pieces { hash.add(piece.bytes) }
    return hash.digest()
  }
}

/// Bytes that several threads read.
///
/// SAFETY: used only while whoever hashes them lends them, and nobody writes them meanwhile.
@safe
private struct LentBytes: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  var count: Int { unsafe bytes.count }
  init(bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }
}
