import IRCExecution
import IRCSupport
import IRCTensor

/// What all kept results of one run have in common: where they are, and what they depend on besides their own inputs.
final class ResultBasis: Sendable {
  let cache: ContentCache
  /// What is known of tensors.
  let fingerprints: ContentFingerprints
  /// The compiler, the processor and the library for linear algebra. The last two change last digits at most, but outputs are to
  /// be the same bytes with and without a cache that several machines share.
  let maker: String
  private let disk: DiskFingerprints

  /// Nil where nothing is kept, or the program cannot be read.
  init?(_ cache: ContentCache?) {
    guard let cache, let program = try? FileDigests.digestOfProgram(knownTo: cache) else {
      return nil
    }
    self.cache = cache
    disk = DiskFingerprints(cache)
    fingerprints = ContentFingerprints(memory: disk)
    maker = "\(program)\n\(HostProcessor.features)\n\(LinearAlgebraLibrary.description)"
  }

  /// Keeps something, or tells the user once that it could not be.
  func keep(_ body: () throws -> Void) { cache.keep(body) }

  /// Writes what was learnt of files.
  func save() { disk.save() }
}
