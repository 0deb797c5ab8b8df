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
    let shared = function.blocks.filter(program.isShared)
    let names = (1...max(1, shared.count)).map { "rows_\($0)_of_\(function.name)" }
    var lines: [String] = []
    for (block, name) in zip(shared, names) {
      lines += sharedText(of: block, named: name, isTail: function.isTail) + [""]
    }
    let parameters = parameters(of: function)
    lines += comment(function.comment, indent: "")
    let list = parameters.map { $0.type + $0.name }.joined(separator: ", ")
    lines += wrapped("static void \(function.name)(\(list)) {", indent: "")
    lines += declarations(
      of: function.blocks.filter { !program.isShared($0) }.flatMap(\.steps),
      isTail: function.isTail)
    if !shared.isEmpty {
      let fields = parameters.map(\.name).filter { $0 != "tokens" }.map { ".\($0) = \($0)" }
      lines.append("  const struct call call = {\(fields.joined(separator: ", "))};")
    }
    var left = names[...]
    for block in function.blocks {
      lines.append("")
      if program.isShared(block), let name = left.popFirst() {
        lines.append("  share_tokens(&call, \(name), tokens, \(nanoseconds(of: block)));")
      } else if block.isLoop {
        lines += loop(over: block, "size_t t = 0; t < tokens; t++")
      } else {
        for step in block.steps { lines += text(of: step, for: .all, indent: "  ") }
      }
    }
    return lines + ["}"]
  }

  private func loop(over block: Program.Block, _ tokens: String) -> [String] {
    var lines = ["  for (\(tokens)) {"]
    for (index, step) in block.steps.enumerated() {
      if index > 0 { lines.append("") }
      lines += text(of: step, for: .each, indent: "    ")
    }
    return lines + ["  }"]
  }

  /// A function that does a block for those tokens that one thread takes: a loop over them, or one call for all of them.
  private func sharedText(
    of block: Program.Block, named name: String, isTail: Bool
  ) -> [String] {
    let values = block.steps.flatMap(\.values)
    let body =
      block.isLoop
      ? loop(over: block, "size_t t = start; t < start + tokens; t++")
      : block.steps.flatMap { text(of: $0, for: .all, indent: "  ") }
    var lines = [
      "static void \(name)(",
      "  const void *arguments, size_t start, size_t tokens, size_t thread) {",
      "  const struct call *const call = (const struct call *)arguments;",
      "  const \(symbol)_context *const m = call->m;", "  (void)thread;",
    ]
    let arguments = block.steps.flatMap(\.calls).flatMap(\.arguments)
    if arguments.contains(.scratch(ofThread: true)) {
      lines.append("  void *const scratch = m->crew.scratch + thread * SCRATCH_BYTES;")
    }
    // Loops count from the first token of the call, one call is made for rows that begin with the thread's.
    let rows = block.isLoop ? "" : " + start"
    if values.contains(where: { $0.home == .ids }) {
      lines.append(
        "  const int32_t *const ids = call->ids\(isTail ? " + call->first" : "")\(rows);")
    }
    if values.contains(where: { $0.home == .logits }) {
      let offset = block.isLoop ? "" : " + start * \(program.vocabulary)"
      lines.append("  float *const logits = call->logits\(offset);")
    }
    if isTail || !block.isLoop {
      let parts = (isTail ? ["call->first"] : []) + (block.isLoop ? [] : ["start"])
      lines += ["  const size_t first = \(parts.joined(separator: " + "));", "  (void)first;"]
    }
    lines += declarations(
      of: block.steps, isTail: isTail || !block.isLoop, isShared: true)
    return lines + body + ["}"]
  }

  /// About how long one token of a block takes one thread: a nanosecond for four numbers that are made.
  private func nanoseconds(of block: Program.Block) -> Int {
    block.steps.flatMap(\.writes).reduce(0) { $0 + $1.columns } / 4 + 1
  }

  /// The variables of some steps, each once.
  private func declarations(
    of steps: [Program.Step], isTail: Bool, isShared: Bool = false
  ) -> [String] {
    var declared: Set<RowValue> = []
    return steps.flatMap(\.values).filter { declared.insert($0).inserted }.flatMap { value in
      isShared && value.home == .ids ? [] : declaration(of: value, isTail: isTail)
    }
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
      if program.hasThreads && program.buffers[buffer].rows == .one {
        address += " + thread * \(value.stride)"
      }
      if value.offset > 0 { address += " + \(value.offset)" }
    case .state(let state):
      address = "(\(value.type.rawValue) *)(void *)(m->states + \(program.states[state].offset))"
    case .cache(let state):
      address =
        "(\(value.type.rawValue) *)(void *)(m->cache + m->capacity * \(program.states[state].offset))"
    }
    return ["  \(value.type.rawValue) *const \(value.name) = \(address);"]
  }
}
