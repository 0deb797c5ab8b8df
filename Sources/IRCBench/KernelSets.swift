import CKernels
import IRCSupport

/// The sets of kernels to choose from.
package enum KernelSets {
  /// What the program takes by itself.
  package static let best = "best"

  private static let tables: [(name: String, find: @Sendable () -> UnsafePointer<irc_kernels>?)] =
    unsafe [
      (best, irc_kernels_best), ("portable", irc_kernels_portable), ("avx2", irc_kernels_avx2),
      ("avx512-vnni", irc_kernels_avx512_vnni), ("amx-int8", irc_kernels_amx),
      ("neon-dotprod", irc_kernels_neon_dotprod), ("neon-i8mm", irc_kernels_neon_i8mm),
    ]

  /// The names of all of them, whatever the processor.
  package static var names: [String] { unsafe tables.map(\.name) }

  /// The set of that name.
  ///
  /// - Throws: `Diagnostic` `bench.kernels` when this processor has not got what it needs.
  static func table(_ name: String) throws -> UnsafePointer<irc_kernels> {
    if let table = unsafe tables.first(where: { unsafe $0.name == name })?.find() {
      return unsafe table
    }
    let there = unsafe tables.filter { unsafe $0.find() != nil }.map(\.name)
    throw Diagnostic(
      "bench.kernels", "this processor does not run the kernels '\(name)'",
      hint: "it runs \(there.joined(separator: ", "))")
  }
}
