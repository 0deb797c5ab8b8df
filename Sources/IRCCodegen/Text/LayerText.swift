/// The functions that compute: one for each layer, with a block for each operation.
struct LayerText {
  let program: Program
  let symbol: String

  /// All functions, then the two that call them: `run` for a chunk of tokens, `finish` for the logits of some of them.
  var lines: [String] {
    var lines: [String] = []
    for function in program.functions { lines += text(of: function) + [""] }
    lines += [
      "// All tokens of a chunk: everything that the states and the logits need.",
      "static void run(\(symbol)_context *m, const int32_t *ids, size_t tokens) {",
    ]
    lines += calls(isTail: false)
    lines += [
      "  m->position += tokens;", "}", "",
      "// The logits of `tokens` tokens of the chunk that ran last, from token `first` on.",
      "static void finish(",
      "  \(symbol)_context *m, const int32_t *ids, size_t first, size_t tokens, float *logits) {",
    ]
    lines += calls(isTail: true) + ["}"]
    return lines
  }

  private func calls(isTail: Bool) -> [String] {
    let functions = program.functions.filter { $0.isTail == isTail }
    let used = Set(functions.flatMap { parameters(of: $0).map(\.name) })
    let unused = (isTail ? ["m", "ids", "first", "tokens", "logits"] : ["ids"]).filter {
      !used.contains($0)
    }
    return unused.map { "  (void)\($0);" }
      + functions.map { function in
        let names = parameters(of: function).map(\.name)
        return "  \(function.name)(\(names.joined(separator: ", ")));"
      }
  }

  /// What a function takes; nothing that it does not use.
  private func parameters(of function: Program.Function) -> [(type: String, name: String)] {
    let values = function.steps.flatMap(\.values)
    let hasIDs = values.contains { $0.home == .ids }
    let hasArena = values.contains { value in
      if case .arena(let buffer) = value.home {
        program.buffers[buffer].rows == .tokens
      } else {
        false
      }
    }
    var parameters = [("const \(symbol)_context *", "m")]
    if hasIDs { parameters.append(("const int32_t *", "ids")) }
    if function.isTail && (hasIDs || hasArena) { parameters.append(("size_t ", "first")) }
    parameters.append(("size_t ", "tokens"))
    if values.contains(where: { $0.home == .logits }) { parameters.append(("float *", "logits")) }
    return parameters
  }

  private func text(of function: Program.Function) -> [String] {
    let parameters = parameters(of: function).map { $0.type + $0.name }
    var lines = comment(function.comment, indent: "")
    let head = "static void \(function.name)(\(parameters.joined(separator: ", "))) {"
    lines += wrapped(head, indent: "")
    var declared: Set<RowValue> = []
    var declarations: [String] = []
    for value in function.steps.flatMap(\.values) where declared.insert(value).inserted {
      declarations += declaration(of: value, isTail: function.isTail)
    }
    lines += declarations
    for block in function.blocks {
      lines.append("")
      if block.isLoop {
        lines.append("  for (size_t t = 0; t < tokens; t++) {")
        for (index, step) in block.steps.enumerated() {
          if index > 0 { lines.append("") }
          lines += text(of: step, for: .each, indent: "    ")
        }
        lines.append("  }")
      } else {
        for step in block.steps { lines += text(of: step, for: .all, indent: "  ") }
      }
    }
    return lines + ["}"]
  }

  private func text(
    of step: Program.Step, for tokens: KernelCall.Tokens, indent: String
  ) -> [String] {
    let isBlock = !step.locals.isEmpty
    let statements = step.locals + step.calls.map { $0.text(for: tokens, program.buffers) }
    let inner = isBlock ? indent + "  " : indent
    let body = statements.flatMap { wrapped($0, indent: inner) }
    return comment(step.comment, indent: indent)
      + (isBlock ? [indent + "{"] + body + [indent + "}"] : body)
  }

  /// The pointer to a value's first row; in the tail, to the row of the first token that is asked for.
  private func declaration(of value: RowValue, isTail: Bool) -> [String] {
    var address: String
    switch value.home {
    case .ids:
      return isTail ? ["  ids += first;"] : []
    case .logits:
      return []
    case .arena(let buffer):
      address = "(\(value.type.rawValue) *)(void *)(m->arena + \(program.buffers[buffer].offset))"
      if isTail && program.buffers[buffer].rows == .tokens {
        address += " + first * \(value.stride)"
      }
      if value.offset > 0 { address += " + \(value.offset)" }
    case .state(let state):
      address = "(\(value.type.rawValue) *)(void *)(m->states + \(program.states[state].offset))"
    case .cache(let state):
      address = "m->cache + m->capacity * \(program.states[state].offset)"
    }
    return ["  \(value.type.rawValue) *const \(value.name) = \(address);"]
  }
}
