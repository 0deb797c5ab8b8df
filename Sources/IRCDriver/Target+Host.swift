import IRCCodegen
import IRCSupport

extension Target {
  /// Refuses a library for another kind of processor than this machine's, before a compiler or the library itself does it in its own way.
  /// Of a processor of the same kind the library knows whether it has the instructions.
  ///
  /// - Throws: `Diagnostic` `target.foreign`.
  func checkRunsHere() throws {
    guard !runsHere, let wanted = architecture else { return }
    throw Diagnostic(
      "target.foreign",
      "a library for the target '\(rawValue)' runs on \(wanted), and this machine is \(Self.ownArchitecture)",
      hint: "set 'target: native' to run it here; 'irc lower' writes it for the other machine")
  }

  /// True if this machine has the kind of processor that the target names.
  var runsHere: Bool { architecture == nil || architecture == Self.ownArchitecture }

  /// The kind of processor that has the target's instructions; nil if any kind runs its libraries.
  private var architecture: String? {
    switch self {
    case .native, .portable: nil
    case .avx2, .avx512VNNI: "x86-64"
    case .neon: "AArch64"
    }
  }

  private static var ownArchitecture: String {
    #if arch(x86_64)
      "x86-64"
    #elseif arch(arm64)
      "AArch64"
    #else
      "another kind of processor"
    #endif
  }
}
