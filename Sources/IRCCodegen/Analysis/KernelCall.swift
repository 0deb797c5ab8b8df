/// A call of a C function, whose arguments know which of them change from token to token.
struct KernelCall: Hashable {
  /// Which tokens a call is for.
  enum Tokens {
    /// All of the chunk.
    case all
    /// Number `t` of them.
    case each
  }

  /// One argument.
  enum Argument: Hashable {
    /// The same for every token.
    case text(String)
    /// Rows of a value, or so many elements behind where they start.
    case rows(RowValue, plus: Int = 0)
    /// The place in a state that grows where the rows of these tokens go.
    case appended(RowValue)
    /// How many tokens there are.
    case tokens
    /// How many elements they have together, with so many in each row.
    case elements(Int)
    /// Room for a kernel: of the thread that works on some tokens, or of the context, which has one thread.
    case scratch(ofThread: Bool)
  }

  /// The function as the C file names it.
  var function: String
  /// Name of the kernel in `irc_kernels.h`, or of the helper.
  var kernel: String
  var arguments: [Argument]

  /// The statement.
  ///
  /// - Parameter buffers: say of which values there is one row that all tokens use in turn.
  func text(for tokens: Tokens, _ buffers: [ArenaBuffer]) -> String {
    let arguments = arguments.map { $0.text(for: tokens, buffers) }
    return "\(function)(\(arguments.joined(separator: ", ")));"
  }
}

extension KernelCall.Argument: ExpressibleByStringInterpolation {
  init(stringLiteral value: String) { self = .text(value) }

  fileprivate func text(for tokens: KernelCall.Tokens, _ buffers: [ArenaBuffer]) -> String {
    switch (self, tokens) {
    case (.text(let text), _): text
    case (.rows(let value, let offset), _):
      (value.name + (tokens == .each ? value.step(buffers) : ""))
        + (offset == 0 ? "" : " + \(offset)")
    case (.appended(let state), .all): "\(state.name) + m->position * \(state.stride)"
    case (.appended(let state), .each): "\(state.name) + (m->position + t) * \(state.stride)"
    case (.tokens, .all): "tokens"
    case (.tokens, .each): "1"
    case (.elements(let columns), .all): "tokens * \(columns)"
    case (.elements(let columns), .each): "\(columns)"
    case (.scratch(let isOfThread), _): isOfThread ? "scratch" : "m->scratch"
    }
  }
}

extension RowValue {
  /// What leads from the first row to that of token `t`.
  fileprivate func step(_ buffers: [ArenaBuffer]) -> String {
    if case .arena(let buffer) = home, buffers[buffer].rows == .one { return "" }
    return stride == 1 ? " + t" : " + t * \(stride)"
  }
}
