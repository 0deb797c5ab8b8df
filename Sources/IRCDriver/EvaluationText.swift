import IRCFrontend

/// A text that a model is measured on, and how it is cut.
package struct EvaluationText: Hashable, Sendable {
  /// Ids of a window where nothing else is said; a short text may go with a model that takes fewer.
  package static let usualContext = 256

  /// The file: plain text, or `.jsonl` documents.
  package var data: String
  /// Ids predicted of each window at most; nil for `usualContext`.
  package var context: Int?
  /// How many windows to take; nil for all.
  package var windows: Int?

  /// Ids predicted of each window at most, whether that was said or not.
  package var length: Int { context ?? Self.usualContext }

  /// Names the text.
  package init(data: String, context: Int?, windows: Int?) {
    self.data = data
    self.context = context
    self.windows = windows
  }

  /// Complains of a text that the model could not be measured on, whatever is made of the model.
  ///
  /// - Throws: `Diagnostic` when the file is unreadable, predicts nothing, or has windows longer than the model's limit.
  func check(for model: LoadedModel) throws {
    _ = try TextSource(path: data).windows(
      model.tokenizer.get(), start: model.startID, context: context, limit: windows,
      contextLength: model.facts.contextLength)
  }
}
