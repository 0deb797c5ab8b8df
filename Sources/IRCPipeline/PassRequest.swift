package import IRCPassKit
package import IRCSupport

/// One pass that a user asked for, by name and not yet looked up.
package struct PassRequest: Sendable {
  /// The pass's name.
  package var name: String
  /// Where it was asked for.
  package var nameSpan: SourceSpan
  /// The options as written, in order.
  package var options: [OptionValue.Entry]
  /// The exporter that was named, when the name came from a model file's `emit`.
  package var exporter: String?
  /// Name of this instance: the pass's name, with `#2`, `#3` … for later ones.
  package var instance = ""

  package init(
    name: String, nameSpan: SourceSpan, options: [OptionValue.Entry] = [], exporter: String? = nil
  ) {
    self.name = name
    self.nameSpan = nameSpan
    self.options = options
    self.exporter = exporter
  }
}

extension [PassRequest] {
  /// Gives every request its instance name.
  mutating func number() {
    var counts: [String: Int] = [:]
    for index in indices {
      let name = self[index].name
      let count = counts[name, default: 0] + 1
      counts[name] = count
      self[index].instance = count == 1 ? name : "\(name)#\(count)"
    }
  }
}
