/// What a site is about, told from the operators that it passes through and not from names.
///
/// A site that passes through several kinds takes the first of them in this order. One that passes through none is named after
/// what makes the value that enters it.
public enum SiteRole: String, Hashable, Sendable, CaseIterable, Comparable {
  /// The residual stream: residual additions tie it together.
  case residual
  /// The contraction of queries with keys.
  case score
  /// Values of attention, through the weighted sum.
  case value
  /// The state dimension of a scan.
  case state
  /// The channels of a scan.
  case scan
  /// The input of a depthwise convolution.
  case convolution
  /// What an activation function makes.
  case activation
  /// What an elementwise product makes.
  case product
  /// What a normalisation makes.
  case norm
  /// Between two linear layers with nothing else between them.
  case lowRank = "low-rank"
  /// Any other input of linear layers.
  case input

  public static func < (a: SiteRole, b: SiteRole) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }

  /// What it means, in a few words, for documentation.
  public var summary: String {
    switch self {
    case .residual: "the residual stream"
    case .score: "queries against keys"
    case .value: "values of attention, through the weighted sum"
    case .state: "the states of a scan"
    case .scan: "the channels of a scan"
    case .convolution: "the input of a depthwise convolution"
    case .activation: "what an activation function makes"
    case .product: "what an elementwise product makes"
    case .norm: "what a normalisation makes"
    case .lowRank: "between two linear layers"
    case .input: "any other input of linear layers"
    }
  }
}
