import CYAML
import IRCSupport

/// One event of libyaml, copied into Swift: what it is and which code points it covers.
struct YAMLEvent {
  enum Kind {
    case documentStart, documentEnd
    case scalar(String, isPlain: Bool)
    case alias
    case sequenceStart(isFlow: Bool)
    case mappingStart(isFlow: Bool)
    case end
  }

  var kind: Kind
  var hasAnchor = false
  var tag: String?
  var start: Int
  var end: Int
}

/// Why libyaml stopped.
struct YAMLFailure: Error {
  var problem: String
  /// Code point at fault.
  var index: Int
  /// What was being read, such as "while scanning an alias", and where that began.
  var context: String?
  var contextIndex: Int
}

/// All events of a text, up to the nesting that we allow.
///
/// - Throws: `YAMLFailure`.
func yamlEvents(of text: String, maximumDepth: Int) throws -> [YAMLEvent] {
  var text = text
  return try text.withUTF8 { bytes in try unsafe yamlEvents(of: bytes, maximumDepth) }
}

private func yamlEvents(
  of bytes: UnsafeBufferPointer<UInt8>, _ maximumDepth: Int
) throws -> [YAMLEvent] {
  var parser = unsafe yaml_parser_t()
  guard unsafe yaml_parser_initialize(&parser) == 1 else {
    throw YAMLFailure(problem: "out of memory", index: 0, contextIndex: 0)
  }
  defer { unsafe yaml_parser_delete(&parser) }
  unsafe yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
  unsafe yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
  var events: [YAMLEvent] = []
  var depth = 0
  while true {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(&parser, &event) == 1 else {
      throw unsafe failure(of: parser, bytes)
    }
    defer { unsafe yaml_event_delete(&event) }
    if unsafe event.type == YAML_STREAM_END_EVENT { return events }
    guard let copy = unsafe copy(of: event) else { continue }
    events.append(copy)
    switch copy.kind {
    case .sequenceStart, .mappingStart: depth += 1
    case .end: depth -= 1
    default: break
    }
    if depth > maximumDepth {
      throw YAMLFailure(problem: "too deep", index: copy.start, contextIndex: copy.start)
    }
  }
}

private func copy(of event: yaml_event_t) -> YAMLEvent? {
  var copy = unsafe YAMLEvent(
    kind: .end, start: event.start_mark.index, end: event.end_mark.index)
  switch unsafe event.type {
  case YAML_DOCUMENT_START_EVENT: copy.kind = .documentStart
  case YAML_DOCUMENT_END_EVENT: copy.kind = .documentEnd
  case YAML_ALIAS_EVENT: copy.kind = .alias
  case YAML_SCALAR_EVENT:
    let scalar = unsafe event.data.scalar
    let text = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
    copy.kind = unsafe .scalar(
      String(decoding: text, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
    copy.hasAnchor = unsafe scalar.anchor != nil
    copy.tag = unsafe string(scalar.tag)
  case YAML_SEQUENCE_START_EVENT:
    let sequence = unsafe event.data.sequence_start
    copy.kind = unsafe .sequenceStart(isFlow: sequence.style == YAML_FLOW_SEQUENCE_STYLE)
    copy.hasAnchor = unsafe sequence.anchor != nil
    copy.tag = unsafe string(sequence.tag)
  case YAML_MAPPING_START_EVENT:
    let mapping = unsafe event.data.mapping_start
    copy.kind = unsafe .mappingStart(isFlow: mapping.style == YAML_FLOW_MAPPING_STYLE)
    copy.hasAnchor = unsafe mapping.anchor != nil
    copy.tag = unsafe string(mapping.tag)
  case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: copy.kind = .end
  default: return nil
  }
  return copy
}

private func string(_ bytes: UnsafePointer<UInt8>?) -> String? {
  guard let bytes = unsafe bytes else { return nil }
  return unsafe String(cString: bytes)
}

private func failure(
  of parser: yaml_parser_t, _ bytes: UnsafeBufferPointer<UInt8>
) -> YAMLFailure {
  let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "out of memory"
  let context = unsafe parser.context.map { unsafe String(cString: $0) }
  var index = unsafe parser.problem_mark.index
  if unsafe parser.error == YAML_READER_ERROR {
    // The reader knows bytes only.
    let before = unsafe bytes.prefix(parser.problem_offset)
    index = unsafe String(decoding: before, as: UTF8.self).unicodeScalars.count
  }
  return unsafe YAMLFailure(
    problem: problem, index: index, context: context, contextIndex: parser.context_mark.index)
}
