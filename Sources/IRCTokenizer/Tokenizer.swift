internal import IRCSupport
internal import Synchronization

/// A tokenizer of the Hugging Face kind: text to ids and back, id for id as the `tokenizers` package does it.
///
/// Reads `tokenizer.json` with a byte-level BPE model (GPT-2 and its kin) or a BPE model with byte fallback (Llama and its
/// kin). Whatever it cannot do exactly it refuses to read. Truncation and padding settings are for batches and are ignored.
public final class Tokenizer: Sendable {
  /// A token that is found in text as it stands.
  public struct SpecialToken: Hashable, Sendable {
    /// What it looks like.
    public let content: String
    /// Its id.
    public let id: Int32
  }

  /// The file that was read.
  public let path: String
  /// One more than the highest id.
  public let vocabularySize: Int
  /// Id that documents start with (`bos_token` of the configuration), if there is a configuration that says so.
  public let startID: Int32?
  /// Id that documents end with (`eos_token` of the configuration), if there is a configuration that says so.
  public let endID: Int32?
  /// The tokens that decoding can leave out, by id.
  public let specialTokens: [SpecialToken]

  private let parts: TokenizerParts
  private let scratch = Mutex<EncodingScratch?>(nil)

  /// Reads `tokenizer.json` and, where there is one, `tokenizer_config.json` of a model folder.
  ///
  /// - Throws: `Diagnostic` with the place: `file.unreadable`, `json.*`, or `tokenizer.*`.
  public convenience init(folder: String) throws {
    let paths = Tokenizer.paths(in: folder)
    try self.init(tokenizerJSON: paths[0], config: paths.dropFirst().first)
  }

  /// The files that `init(folder:)` reads.
  public static func paths(in folder: String) -> [String] {
    let config = "\(folder)/tokenizer_config.json"
    return ["\(folder)/tokenizer.json"] + (TokenizerConfig.exists(config) ? [config] : [])
  }

  /// Reads a tokenizer file and the configuration that goes with it.
  ///
  /// The configuration names the start and end tokens; and with `legacy: false` of a Llama tokenizer nothing is put in front
  /// of the text when encoding, nor cut off when decoding.
  ///
  /// - Throws: as `init(folder:)`.
  public init(tokenizerJSON path: String, config configPath: String? = nil) throws {
    let config = try configPath.map { try TokenizerConfig(reading: $0) }
    let root = try JSONValue(reading: path)
    let reader = try TokenizerReader(root, addsPrefix: config?.addsPrefix ?? true)
    parts = try reader.parts()
    self.path = path
    vocabularySize = parts.decoder.pieces.count
    startID = try config?.start.map { try reader.id(of: $0) }
    endID = try config?.end.map { try reader.id(of: $0) }
    specialTokens = parts.added.filter(\.isSpecial)
      .map { SpecialToken(content: $0.content, id: $0.id) }
      .sorted { $0.id < $1.id }
  }

  /// The ids of a text, with what the file's template puts around it (such as the start id) if `addSpecialTokens`.
  ///
  /// - Throws: `Diagnostic` `tokenizer.text-too-long` from 2 GiB on, or when normalising would make it so.
  public func encode(_ text: String, addSpecialTokens: Bool = true) throws -> [Int32] {
    let bytes = Array(text.utf8)
    // The merges count places in 32 bits.
    guard bytes.count < Int32.max else {
      throw Diagnostic(
        "tokenizer.text-too-long", "a text of \(bytes.count) bytes is too long to encode",
        hint: "encode it in parts of less than 2 GiB")
    }
    // A call that finds the memory of the last one in use works with its own.
    var own = scratch.withLock { $0.take() } ?? EncodingScratch()
    defer { scratch.withLock { $0 = own } }
    var ids: [Int32] = []
    try parts.encode(bytes, &own, to: &ids)
    return addSpecialTokens ? parts.template.before + ids + parts.template.after : ids
  }

  /// The text of ids; ids outside the vocabulary add nothing.
  public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true) -> String {
    var stream = streamDecoder(skipSpecialTokens: skipSpecialTokens)
    var bytes: [UInt8] = []
    for id in ids { stream.append(id, to: &bytes) }
    stream.finish(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A decoder that gives text as ids come in.
  public func streamDecoder(skipSpecialTokens: Bool = true) -> TokenStreamDecoder {
    TokenStreamDecoder(parts.decoder, skipsSpecialTokens: skipSpecialTokens)
  }

  /// Id of a piece or added token as the file writes it; nil when there is none.
  public func id(of piece: String) -> Int32? { parts.ids[ByteKey(piece)] }

  /// A piece or added token as the file writes it; nil for ids that there are none of.
  public func piece(_ id: Int32) -> String? {
    id >= 0 && Int(id) < parts.names.count ? parts.names[Int(id)] : nil
  }

  /// Checks that a model knows every id.
  ///
  /// - Throws: `Diagnostic` `tokenizer.vocabulary-mismatch` when the tokenizer has ids that the model has no row for.
  public func validate(vocabularySize modelVocabulary: Int) throws {
    guard vocabularySize > modelVocabulary else { return }
    let last = parts.names.last ?? nil
    throw Diagnostic(
      "tokenizer.vocabulary-mismatch",
      "the tokenizer has ids up to \(vocabularySize - 1), but the model has \(modelVocabulary) of them",
      at: SourceLocation(file: path),
      hint: "put the tokenizer.json of this very model into its folder",
      notes: last.map { ["id \(vocabularySize - 1) is \(JSON.string($0).serialized())"] } ?? [])
  }
}
