public import IRCExecution

extension ChannelStatistics {
  /// Complains of too little calibration text for what is to be made from it.
  ///
  /// A second moment of n channels needs n rows to have full rank, and several times as many to stand for other text.
  ///
  /// - Parameters:
  ///   - needed: rows that the method needs; those with infinities and NaNs do not count for second moments.
  ///   - subject: what needs them, for the message, such as `site 'residual/q' of 64 channels`.
  ///   - rowsPerToken: values that were pooled, each of which gives a row for each token.
  /// - Throws: `PassError` that says how many there are and what to do.
  public func requireRows(
    _ needed: Int, for subject: String, rowsPerToken: Int = 1
  ) throws {
    let usable = secondMoment == nil ? rows : momentRows
    guard usable < needed else { return }
    let each = max(1, rowsPerToken)
    let skipped = usable < rows ? " usable ones out of \(rows / each)" : ""
    throw PassError(
      "\(subject) needs at least \((needed + each - 1) / each) calibration tokens, "
        + "and the text gave \(usable / each)\(skipped)",
      hint:
        "raise 'calibration.tokens' in the model file and name a text that is long enough, or leave the site out"
    )
  }
}
