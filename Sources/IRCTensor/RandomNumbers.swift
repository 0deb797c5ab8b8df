/// Random numbers that depend on a seed and a position only, so that any element can be made on any thread.
///
/// The mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied twice.
public struct RandomNumbers: Sendable {
  /// Equal seeds give equal numbers.
  public let seed: UInt64

  /// Starts the stream named by `seed`.
  public init(seed: UInt64) {
    self.seed = seed
  }

  /// The 64 random bits at `index`.
  public func bits(_ index: Int) -> UInt64 {
    func mix(_ value: UInt64) -> UInt64 {
      var z = value &+ 0x9E37_79B9_7F4A_7C15
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    return mix(mix(seed) ^ mix(UInt64(bitPattern: Int64(index)) &+ 0x5851_F42D_4C95_7F2D))
  }

  /// A number in [0, 1) at `index`.
  public func uniform(_ index: Int) -> Double {
    Double(bits(index) >> 11) * 0x1p-53
  }

  /// A whole number in `0..<bound` at `index`.
  public func integer(_ index: Int, below bound: Int) -> Int {
    Int(bits(index).multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A nearly normal number (mean 0, variance 1, at most 6 in size) at `index`: the sum of twelve uniform ones.
  public func normal(_ index: Int) -> Double {
    (0..<12).reduce(-6) { $0 + uniform(index &* 12 &+ $1) }
  }
}
