internal import IRCSupport

/// Reads the `post_processor`: what is put around an encoded text.
extension TokenizerReader {
  func readTemplate(_ value: JSONValue) throws -> TokenizerParts.Template {
    let reader = try JSONObjectReader(value)
    let type = try reader.required("type")
    var template = TokenizerParts.Template()
    switch try type.string() {
    case "ByteLevel":
      // It corrects offsets into the text, which are not kept here.
      reader.ignore(["add_prefix_space", "trim_offsets", "use_regex"])
    case "TemplateProcessing": template = try readSingle(reader)
    case "Sequence":
      for step in try reader.required("processors").array() {
        let outer = try readTemplate(step)
        template.before = outer.before + template.before
        template.after += outer.after
        try check(template, step)
      }
    case let other:
      throw unsupported(type, "post-processors of the type '\(other)' are not supported")
    }
    try refuseUnknownKeys(reader)
    return template
  }

  private func readSingle(_ reader: JSONObjectReader) throws -> TokenizerParts.Template {
    let single = try reader.required("single")
    let special = try reader.required("special_tokens")
    reader.ignore(["pair"])
    var template = TokenizerParts.Template()
    var texts = 0
    for piece in try single.array() {
      if let sequence = try piece.optional("Sequence") {
        let id = try sequence["id"]
        guard try id.string() == "A" else {
          throw unsupported(id, "only the sequence A is supported")
        }
        texts += 1
      } else {
        let name = try piece["SpecialToken"]["id"].string()
        let ids = try special[name]["ids"].array().prefix(1025).map { try tokenID($0) }
        if texts == 0 { template.before += ids } else { template.after += ids }
        try check(template, piece)
      }
    }
    guard texts == 1 else { throw unsupported(single, "the text must appear once in the template") }
    return template
  }

  /// A few tokens repeated again and again could fill any memory.
  private func check(_ template: TokenizerParts.Template, _ value: JSONValue) throws {
    if template.before.count + template.after.count > 1024 {
      throw unsupported(value, "the template adds more than 1024 tokens")
    }
  }

  private func tokenID(_ value: JSONValue) throws -> Int32 {
    let id = try value.int()
    guard hasToken(id) else {
      throw value.diagnostic("tokenizer.unknown-piece", "there is no token with the id \(id)")
    }
    return Int32(id)
  }
}
