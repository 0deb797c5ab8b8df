import IRCPassManager
import IRCPipeline

extension CompilationPlan {
  /// Runs passes of the plan, all of them by default, and knows whether there is a text to calibrate them on.
  func manager(of passes: [PassInstance]? = nil, _ instruments: [any Instrument] = [])
    -> PassManager
  {
    var manager = PassManager(passes ?? self.passes, registry: registry, instruments: instruments)
    manager.hasCalibration = model.calibration != nil
    return manager
  }
}
