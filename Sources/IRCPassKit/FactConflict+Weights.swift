extension FactConflict {
  /// What passes that change weights must not follow: formats that they would undo, and branches that they would store in single
  /// precision.
  public static let changesOfWeights = [
    FactConflict(.quantized, "would change weights that have been quantized"),
    FactConflict(.branchesAbsorbed, "would change branches that are stored in 16 bits"),
  ]
}
