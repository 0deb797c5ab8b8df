package import IRCSupport

/// What was measured of one case.
package struct BenchRow: Sendable {
  /// What a rate is compared with.
  package struct Limit: Sendable {
    package let name: String
    /// Bytes or operations a second.
    package let rate: Double
  }

  /// Another library at the same work.
  package struct Peer: Sendable {
    package let name: String
    package let seconds: Double
    package let ofLimit: Double
    let byteCount: Int
  }

  /// The same without what the case is about.
  package struct Baseline: Sendable {
    package let name: String
    package let seconds: Double
  }

  package let entry: KernelCase
  let threads: Int
  /// Median of one run of it, codes of activations included.
  package let seconds: Double
  /// Median of its product alone; nil where there is nothing else worth telling.
  let productSeconds: Double?
  /// Median of the rounds' fractions of the limit.
  package let ofLimit: Double
  /// Of the peak of tiles, where there are some.
  let ofTileLimit: Double?
  /// Bytes of weights and scales that are read, or of what is transformed.
  let byteCount: Int
  package let limit: Limit
  package let peers: [Peer]
  package let baseline: Baseline?
  let rounds: Int

  /// Bytes a second, over 10⁹.
  package var gigabytes: Double { Double(byteCount) / seconds * 1e-9 }
  /// Operations a second, over 10⁹.
  package var gigaoperations: Double { entry.operations / seconds * 1e-9 }

  /// The peer that takes the least time.
  package var fastestPeer: Peer? { peers.min { $0.seconds < $1.seconds } }
  /// The peer that comes nearest to the limit, which need not be the fastest: it may read more bytes.
  package var nearestPeer: Peer? { peers.max { $0.ofLimit < $1.ofLimit } }

  /// Keys are documented in `docs/performance.md`.
  package var json: JSON {
    var fields: [(key: String, value: JSON)] = [
      ("weights", .string(entry.weights)), ("activations", .string(entry.activations)),
      ("group", .integer(entry.group)), ("rows", .integer(entry.rows)),
      ("cols", .integer(entry.cols)), ("n", .integer(entry.n)), ("threads", .integer(threads)),
      ("seconds", .real(seconds)), ("product_seconds", productSeconds.map(JSON.real) ?? .null),
      ("of_limit", .real(ofLimit)), ("limit", .string(limit.name)),
      ("limit_rate", .real(limit.rate)), ("of_tile_limit", ofTileLimit.map(JSON.real) ?? .null),
      ("bytes", .integer(byteCount)), ("gbps", .real(gigabytes)), ("gops", .real(gigaoperations)),
      ("rounds", .integer(rounds)),
      (
        "peers",
        .object(
          peers.map { peer in
            (
              peer.name,
              .object([
                ("seconds", .real(peer.seconds)), ("of_limit", .real(peer.ofLimit)),
                ("bytes", .integer(peer.byteCount)),
              ])
            )
          })
      ),
    ]
    if let baseline {
      fields.append(
        (
          "beside",
          .object([("name", .string(baseline.name)), ("seconds", .real(baseline.seconds))])
        ))
    }
    return .object(fields)
  }
}
