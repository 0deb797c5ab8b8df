import IRCPassKit

/// Why the inputs of a layer do not tell how to round it.
enum InputShortage: Error, Equatable {
  /// Fewer tokens than channels, so that the second moment has no full rank.
  case tooFew(tokens: Int, channels: Int)
  /// Fewer than channels are left of the tokens whose inputs are finite.
  case notFinite(skipped: Int, tokens: Int)
  /// The second moment is zero, infinite or not positive.
  case noInverse

  /// What is wrong before a second moment is decomposed; nil if nothing is.
  init?(of moment: SecondMoment) {
    guard moment.rows < moment.width else { return nil }
    self =
      moment.skippedRows > 0
      ? .notFinite(skipped: moment.skippedRows, tokens: moment.rows + moment.skippedRows)
      : .tooFew(tokens: moment.rows, channels: moment.width)
  }

  /// What to do about it.
  var hint: String {
    switch self {
    case .tooFew: "raise 'calibration.tokens' in the model file"
    case .notFinite: "look for the layer that makes infinities with 'irc inspect'"
    case .noInverse: "calibrate on other text"
    }
  }

  /// The error that no layer could be rounded, for these reasons.
  static func error(of all: [InputShortage]) -> PassError {
    let failure = "no layer could be rounded by its inputs"
    for case .notFinite(let skipped, let tokens) in all {
      return PassError(
        "\(failure): they are infinite or no numbers for \(skipped) of \(tokens) tokens",
        hint: InputShortage.notFinite(skipped: skipped, tokens: tokens).hint)
    }
    let needs = all.compactMap { shortage -> (tokens: Int, channels: Int)? in
      if case .tooFew(let tokens, let channels) = shortage { (tokens, channels) } else { nil }
    }
    guard let least = needs.min(by: { $0.channels < $1.channels }) else {
      return PassError(
        "\(failure), whose second moments are zero, infinite or not positive",
        hint: InputShortage.noInverse.hint)
    }
    let most = needs.map(\.channels).max() ?? least.channels
    return PassError(
      "\(failure): calibration has \(least.tokens) tokens, and the layer with the fewest inputs needs \(least.channels)",
      hint:
        "raise 'calibration.tokens' in the model file and name a text that is long enough; \(most) tokens serve every layer"
    )
  }
}
