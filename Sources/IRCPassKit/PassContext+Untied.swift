public import IRCGraph

extension RemarkKind {
  /// Weights that were read in several places as one got a copy of their own.
  public static let untied = RemarkKind("untied", .passed, "Weights got a copy of their own.")
}

extension PassContext {
  /// Tells that a tensor is no longer shared, and what a copy costs.
  ///
  /// - Parameters:
  ///   - name: the tensor's name in the checkpoint.
  ///   - elements: weights in the copies.
  ///   - location: what the copy is for; nil for the tensor itself.
  ///   - hint: how to keep one copy.
  public func remarkUntied(
    _ name: String, elements: Int, at location: Location? = nil, hint: String? = nil
  ) {
    remark(
      .untied, at: location ?? .checkpoint(name),
      "'\(name)' is no longer shared; the copy holds \(elements) weights", hint: hint)
  }

  /// Tells which tensors a change of a site has untied.
  public func remarkUntied(_ change: SiteChange) {
    for (name, elements) in change.untied { remarkUntied(name, elements: elements) }
  }
}
