/// Machine that code is made for.
public enum Target: String, Sendable, CaseIterable {
  case native, portable, avx2
  case avx512VNNI = "avx512-vnni"
  case neon
}

extension Target {
  /// What a C compiler should be told: the language, no contraction of a·b + c, the instruction set, and what threads need.
  public func compilerFlags(_ threads: ThreadModel) -> [String] {
    ["-std=c11", "-O3", "-ffp-contract=off"] + instructionSetFlags + threads.compilerFlags
  }

  private var instructionSetFlags: [String] {
    switch self {
    case .native: ["-march=native"]
    case .portable: []
    case .avx2: ["-mavx2", "-mfma", "-mf16c"]
    case .avx512VNNI:
      [
        "-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq",
        "-mavx512vnni",
      ]
    case .neon: ["-march=armv8.2-a+dotprod"]
    }
  }
}
