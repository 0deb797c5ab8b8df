public import IRCExecution

extension QuantizationScheme.Activations {
  /// The range that a static scale spans, from what calibration measured.
  ///
  /// - Throws: `PassError` when the value was infinite or not a number somewhere.
  public func bounds(of measured: ValueStatistics) throws -> (lower: Double, upper: Double) {
    if measured.nonFiniteCount > 0 {
      throw PassError(
        "an activation was not finite \(measured.nonFiniteCount) times on the calibration text",
        hint: "the float model overflows there; calibrate on other text or keep activations real")
    }
    let limit =
      switch range {
      case .minMax: Double(measured.absoluteMaximum)
      case .percentile(let percent): Double(measured.percentile(percent))
      }
    if spec.isSymmetric { return (-limit, limit) }
    return (max(Double(measured.minimum), -limit), min(Double(measured.maximum), limit))
  }
}
