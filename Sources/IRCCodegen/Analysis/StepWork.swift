/// What a step works on besides rows of values.
struct StepWork {
  /// A constant that is read.
  struct Weight {
    let tensor: StoredTensor
    /// True if a token needs a row of it; else a call needs all of it.
    let isTable: Bool
  }

  var weights: [Weight] = []
  /// What the activations are that the kernel multiplies with.
  var activations = "f32"
  /// Multiplications of codes for each token.
  var integerProducts = 0
  /// The same for each token and each position that it attends to.
  var integerProductsPerKey = 0
  /// Multiplications of real numbers for each token.
  var realProducts = 0
  /// The same for each token and each position that it attends to.
  var realProductsPerKey = 0
  /// Positions that a token attends to at most; 0: no limit.
  var window = 0
}
