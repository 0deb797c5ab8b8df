/// What the files and C symbols of a model are called.
public struct ArtifactNames: Hashable, Sendable {
  /// Stem of the files: `stem.h`, `stem.c`, `stem.weights`, `stem.d`, `stem.pc`, `stemConfig.cmake`.
  public let stem: String
  /// Start of every external symbol, followed by `_`.
  public let symbol: String

  /// Start of every macro and enumerator.
  public var macro: String { symbol.uppercased() }
  public var header: String { "\(stem).h" }
  public var source: String { "\(stem).c" }
  public var weights: String { "\(stem).weights" }
  public var dependencies: String { "\(stem).d" }
  public var pkgConfig: String { "\(stem).pc" }
  public var cmakeConfig: String { "\(stem)Config.cmake" }

  /// Keeps letters, digits, `-`, `_` and `.` of the model's name for files, and letters and digits for symbols. A name that is
  /// taken gets `model_` in front; see `conflict(of:)`.
  public init(model name: String) {
    let stem = ArtifactNames.stem(of: name)
    self.stem = ArtifactNames.conflict(of: name) == nil ? stem : "model_" + stem
    symbol = ArtifactNames.symbol(of: self.stem)
  }

  /// Why files and symbols cannot be called as the model is, as the end of a sentence; nil if they can.
  public static func conflict(of name: String) -> String? {
    let stem = stem(of: name)
    return TakenNames.reason(stem: stem, symbol: symbol(of: stem))
  }

  private static func stem(of name: String) -> String {
    var stem = replacing(name, keeping: "-_.")
    while let first = stem.first, first == "." || first == "-" { stem.removeFirst() }
    return stem.isEmpty ? "model" : stem
  }

  private static func symbol(of stem: String) -> String {
    var symbol = replacing(stem, keeping: "")
    while symbol.hasPrefix("_") { symbol.removeFirst() }
    // C reserves names that hold two underscores only in C++, but C++ may read the header.
    while symbol.contains("__") { symbol = symbol.replacing("__", with: "_") }
    while symbol.hasSuffix("_") { symbol.removeLast() }
    if symbol.isEmpty { return "model" }
    return symbol.first?.isNumber == true ? "m" + symbol : symbol
  }

  private static func replacing(_ name: String, keeping extra: String) -> String {
    String(
      name.unicodeScalars.map { scalar -> Character in
        let isKept =
          scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        return isKept || extra.unicodeScalars.contains(scalar) ? Character(scalar) : "_"
      })
  }
}
