import IRCExecution
import IRCSupport
import IRCTensor
import Synchronization

/// What all kept results of one run have in common: where they are, and what they depend on besides their own inputs.
final class ResultBasis: Sendable {
  let cache: ContentCache
  /// What is known of tensors.
  let fingerprints: ContentFingerprints
  /// The compiler, the processor and the library for linear algebra. The last two change last digits at most, but outputs are to
  /// be the same bytes with and without a cache that several machines share.
  let maker: String
  private let disk: DiskFingerprints
  private let reporter: Reporter
  private let isTold = Mutex(false)

  /// Nil where nothing is kept, or the program cannot be read.
  init?(_ cache: ContentCache?, _ reporter: Reporter) {
    guard let cache, let program = try? FileDigests.digestOfProgram(knownTo: cache) else {
      return nil
    }
    self.cache = cache
    self.reporter = reporter
    disk = DiskFingerprints(cache)
    fingerprints = ContentFingerprints(memory: disk)
    maker = "\(program)\n\(HostProcessor.features)\n\(LinearAlgebraLibrary.description)"
  }

  /// Keeps something. Where that fails, the user is told once, and nothing else comes of it.
  func keep(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      let reason = (error as? Diagnostic)?.message ?? "\(error)"
      let isFirst = isTold.withLock { isTold in
        defer { isTold = true }
        return !isTold
      }
      if isFirst { reporter.note("results are not kept for later runs: \(reason)") }
    }
  }

  /// Writes what was learnt of files.
  func save() { disk.save() }
}
