import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport
import Testing

@Suite struct WriterTests {
  private let registry: PassRegistry
  private let writer: SchemaWriter

  init() throws {
    registry = try PassRegistry(fakePasses)
    writer = SchemaWriter(registry)
  }

  @Test func schemasAreJSON() throws {
    for schema in [writer.modelSchema(), writer.pipelineSchema(), writer.schemeSchema()] {
      let text = schema.serialized(indent: 2)
      guard case .object(let members) = try JSONValue(parsing: text, path: "schema").content else {
        Issue.record("not an object")
        continue
      }
      #expect(members.map(\.key).prefix(2) == ["$schema", "title"])
    }
  }

  @Test func schemaOfOptions() {
    let text = writer.pipelineSchema().serialized()
    for part in [
      #""const":1"#, #""enum":["emit-c","fold-norm-gains","lower-kernels","quantize"]"#,
      #""rounds":{"description":"Rounds of search. Default: 8","anyOf":[{"type":"integer","minimum":1,"maximum":100}"#,
      #""clip_share":{"description":"Share of values to clip. Default: 0.0","anyOf":[{"type":"number","minimum":0.0,"maximum":0.5}"#,
      #""enum":["nearest","stochastic"]"#, ##""$ref":"#/$defs/scheme""##,
    ] {
      #expect(text.contains(part), "\(part)")
    }
  }

  @Test func schemaOfOptionsThatMayBeAbsent() throws {
    let text = SchemaWriter(try PassRegistry([Limited.self])).pipelineSchema().serialized()
    #expect(
      text.contains(
        #""limit":{"description":"Layers at most. Default: null","anyOf":[{"type":"integer","minimum":1,"maximum":9},{"type":"string","pattern":"^\\$[a-z]+$"},{"type":"null"}]}"#
      ), "\(text)")
  }

  @Test func reference() throws {
    let text = try ReferenceWriter(registry, shipped: shipped).text()
    for part in [
      "# Reference\n",
      "\n| `source` | the path of a folder | The model: a Hugging Face folder. Required. |\n",
      "\n| `rtn` | Round to nearest. |\n",
      "\n### quantize\n\nRounds weights.\n\nMore about rounding.\n",
      "\n| `rounding` | nearest \\| stochastic | `nearest` | How to round. |\n",
      "\n- Requires: `norm-gains-folded`\n- Establishes: `quantized`\n- Source: Nobody et al., section 2\n",
      "\n- Remark `left-out` (missed): A weight was left as it was.\n", "\n| `w4a8-static` |",
    ] {
      #expect(text.contains(part), "\(part)")
    }
  }
}

private struct Limited: Pass {
  static let info = PassInfo(name: "limited", summary: "Has a limit.", preservesFunction: true)

  @PassOption("Layers at most.", in: 1...9)
  var limit: Int? = nil

  func run(on graph: inout Graph, in context: PassContext) throws {}
}
