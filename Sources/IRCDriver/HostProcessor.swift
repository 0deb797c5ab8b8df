import Foundation

/// What the processor that this runs on can do, as far as a C compiler that is told `-march=native` cares.
enum HostProcessor {
  /// The instruction set extensions as the system lists them; the architecture alone where it lists none.
  static let features: String = {
    let description = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let list = description.split(separator: "\n").first { line in
      // x86 and ARM name the line differently.
      line.hasPrefix("flags") || line.hasPrefix("Features")
    }
    return "\(architecture) \(list ?? "")"
  }()

  private static let architecture: String = {
    #if arch(x86_64)
      "x86-64"
    #elseif arch(arm64)
      "arm64"
    #else
      "other"
    #endif
  }()
}
