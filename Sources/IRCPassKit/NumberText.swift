extension Double {
  /// The number as remarks show it: three decimals, or all digits where it is too large or no number.
  public var remarkText: String {
    magnitude < 1e9 ? "\((self * 1000).rounded() / 1000)" : "\(self)"
  }
}
