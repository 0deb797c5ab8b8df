public import IRCGraph

extension Fact {
  /// No normalisation carries a gain or a bias that linear readers could have absorbed.
  public static let normGainsFolded = Fact("norm-gains-folded")
  /// Gains of normalisations hold channel factors that make the inputs of linear layers easier to round.
  public static let normInputsSmoothed = Fact("norm-inputs-smoothed")
  /// Weights have been given formats.
  public static let quantized = Fact("quantized")
  /// Linear layers have branches of low rank whose precision was chosen.
  public static let branchesAbsorbed = Fact("branches-absorbed")
  /// Scales of weights have been searched for, and are constants.
  public static let scalesSearched = Fact("scales-searched")
  /// Codes of weights have been solved for, and are constants.
  public static let codesSolved = Fact("codes-solved")
  /// Weights have formats to begin with, and a budget of bits that is still to be met.
  public static let formatsOpen = Fact("formats-open")
}
