public import IRCExecution

extension ChannelStatistics {
  /// Complains of too little calibration text for what is to be made from it.
  ///
  /// A second moment of n channels needs n rows to have full rank, and several times as many to stand for other text.
  ///
  /// - Parameters:
  ///   - needed: rows that the method needs; those with infinities and NaNs do not count for second moments.
  ///   - width: width of the site, for the message.
  /// - Throws: `PassError` that says how many there are and what to do.
  public func requireRows(_ needed: Int, for width: Int) throws {
    let usable = secondMoment == nil ? rows : momentRows
    guard usable < needed else { return }
    let skipped = usable < rows ? " usable ones out of \(rows)" : ""
    throw PassError(
      "a site of width \(width) needs at least \(needed) calibration tokens, "
        + "and the text gave \(usable)\(skipped)",
      hint: "raise 'calibration.tokens' in the model file, and name a text that is long enough")
  }
}
