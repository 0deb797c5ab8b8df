import CKernels
import Foundation
package import IRCSupport

/// The processor, its caches and what it was measured to do at most.
package struct Machine {
  /// A peak of arithmetic.
  struct Peak {
    let name: String
    /// Operations a second.
    let rate: Double
  }

  let processor: String
  let threads: Int
  let processors: [UInt32]
  let kernels: String
  let layout: String
  let lastLevelCache: Int
  let ring: Ring
  /// Bytes a second.
  let readRate: Double
  /// Bytes a second read and written in place, each counted.
  let scaleRate: Double
  /// The same of what fits into half of a second-level cache.
  let cacheRate: Double
  let float: Peak?
  /// What integer products are compared with.
  let integer: Peak
  let integers: [Peak]
  let tiles: Peak?

  /// How much memory weights are spread over, and why.
  package struct Ring {
    package let byteCount: Int
    let reason: String

    /// Rings of ours and of seven peers take a third of the free memory at most.
    package init(lastLevelCache: Int, freeMemory: Int, asked: Int?) {
      let wanted = max(384 << 20, lastLevelCache / 4 * 5)
      let most = max(1 << 20, freeMemory / 3 / 8)
      if let asked {
        byteCount = asked
        reason = "as asked for"
      } else if wanted > most {
        byteCount = most
        reason = "a third of the free memory for eight rings; caches may hold part of it"
      } else if wanted == 384 << 20 {
        byteCount = wanted
        reason = "384 MiB, more than 1.25 times the last cache of \(lastLevelCache >> 20) MiB"
      } else {
        byteCount = wanted
        reason = "1.25 times the last cache of \(lastLevelCache >> 20) MiB"
      }
    }
  }

  /// Keys are documented in `docs/performance.md`.
  package func json(peers: [(key: String, value: JSON)]) -> JSON {
    func peak(_ peak: Peak?) -> JSON {
      peak.map {
        .object([("name", .string($0.name)), ("gops", .real($0.rate * 1e-9))])
      } ?? .null
    }
    return .object([
      ("cpu", .string(processor)), ("threads", .integer(threads)),
      ("clock", .string(threads == 1 ? "processor" : "wall")),
      ("processors", .array(processors.map { .integer(Int($0)) })),
      ("kernels", .string(kernels)), ("layout", .string(layout)),
      ("last_level_cache", .integer(lastLevelCache)),
      ("ring_bytes", .integer(ring.byteCount)), ("ring_reason", .string(ring.reason)),
      ("read_gbps", .real(readRate * 1e-9)), ("scale_gbps", .real(scaleRate * 1e-9)),
      ("cache_gbps", .real(cacheRate * 1e-9)),
      ("int8", peak(integer)), ("int8_all", .array(integers.map { peak($0) })),
      ("tiles", peak(tiles)), ("float", peak(float)), ("peers", .object(peers)),
    ])
  }

  /// The same for people.
  package var text: String {
    func rate(_ peak: Peak) -> String { "\(Int((peak.rate * 1e-9).rounded())) (\(peak.name))" }
    func tenths(_ value: Double) -> String { "\((value * 1e-8).rounded() / 10)" }
    var lines = [
      "\(processor), \(threads) thread\(threads == 1 ? "" : "s")"
        + (processors.isEmpty
          ? ", not pinned"
          : " on processor \(processors.map { "\($0)" }.joined(separator: ", "))"),
      "kernels    \(kernels), weights in \(layout)",
      "memory     reads \(tenths(readRate)) GB/s, scales in place \(tenths(scaleRate)) GB/s read and written, in caches \(tenths(cacheRate)) GB/s",
      "int8       \(rate(integer)) GOP/s" + (tiles.map { "; \(rate($0))" } ?? ""),
    ]
    if let float { lines.append("float      \(rate(float)) GFLOP/s") }
    lines.append("rings      \(ring.byteCount >> 20) MiB: \(ring.reason)")
    return lines.joined(separator: "\n") + "\n"
  }

  /// What the system says of the processor.
  static var processorName: String {
    let lines = read("/proc/cpuinfo").split(separator: "\n")
    let name = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").dropFirst().first
    return name.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
  }

  /// Bytes of the largest cache that the system tells of; 0 if it does not.
  static var largestCache: Int {
    let sizes = (0..<8).map { index in
      let text = read("/sys/devices/system/cpu/cpu0/cache/index\(index)/size")
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let number = Int(text.prefix { $0.isNumber }) ?? 0
      return text.hasSuffix("M") ? number << 20 : text.hasSuffix("K") ? number << 10 : number
    }
    return sizes.max() ?? 0
  }

  /// Bytes of memory that may be taken without hurting others.
  static var freeMemory: Int {
    let line = read("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    let words = line?.split(whereSeparator: \.isWhitespace) ?? []
    return words.count > 1 ? (Int(words[1]) ?? 1 << 20) << 10 : 1 << 30
  }

  private static func read(_ path: String) -> String {
    (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }
}
