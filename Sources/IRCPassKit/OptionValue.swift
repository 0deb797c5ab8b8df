public import IRCSupport

/// What a user wrote for an option: a tree of text with its places, not yet given a meaning.
///
/// Scalars stay text until the declared option type reads them, so that `no`, `1e-5` and `007` mean what the option says.
public struct OptionValue: Sendable {
  /// The shape of the value.
  public indirect enum Content: Sendable {
    /// Nothing, `~` or `null`.
    case null
    /// Something that could not be found out; the reason was reported already, so nothing more is said about it.
    case unknown
    /// Plain or quoted text.
    case scalar(String)
    /// `[a, b]`
    case sequence([OptionValue])
    /// `{key: value}` in the order written.
    case mapping([Entry])
  }

  /// One entry of a mapping.
  public struct Entry: Sendable {
    /// The key.
    public var key: String
    /// Where the key stands.
    public var keySpan: SourceSpan
    /// What belongs to it.
    public var value: OptionValue

    /// Makes an entry.
    public init(key: String, keySpan: SourceSpan, value: OptionValue) {
      self.key = key
      self.keySpan = keySpan
      self.value = value
    }
  }

  /// What was written.
  public var content: Content
  /// Where it was written.
  public var span: SourceSpan

  /// Makes a value.
  public init(_ content: Content, span: SourceSpan) {
    self.content = content
    self.span = span
  }

  /// The text, if the value is a scalar.
  public var text: String? {
    if case .scalar(let text) = content { text } else { nil }
  }

  /// True if nothing was written where a value belongs.
  public var isNull: Bool {
    if case .null = content { true } else { false }
  }

  /// What was written, for a message: the text itself or the kind of collection.
  public var summary: String {
    switch content {
    case .null: "nothing"
    case .unknown: "something unknown"
    case .scalar(let text): "'\(text)'"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}
