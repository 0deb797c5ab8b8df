import Foundation

/// What the processor that the tests run on can do.
public enum Processor {
  /// True if it has AVX2, FMA and F16C, so that code made for them runs.
  public static let hasAVX2: Bool = {
    #if arch(x86_64)
      let description = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      let flags = Set(description.split(whereSeparator: \.isWhitespace))
      return flags.isSuperset(of: ["avx2", "fma", "f16c"])
    #else
      return false
    #endif
  }()
}
