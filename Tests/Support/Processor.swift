import Foundation

/// What the processor that the tests run on can do.
public enum Processor {
  /// True if it has AVX2, FMA and F16C, so that code made for them runs.
  public static let hasAVX2 = has("avx2", "fma", "f16c")
  /// True if it has AVX-512 with products of bytes as well.
  public static let hasAVX512VNNI =
    hasAVX2 && has("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni")
  /// True if it has tiles of bytes as well.
  public static let hasAMX = hasAVX512VNNI && has("amx_tile", "amx_int8")

  /// Whether the system lists all of these, which it does where it lets programs use them.
  private static func has(_ names: Substring...) -> Bool { flags.isSuperset(of: names) }

  private static let flags: Set<Substring> = {
    #if arch(x86_64)
      let description = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      return Set(description.split(whereSeparator: \.isWhitespace))
    #else
      return []
    #endif
  }()
}
