import IRCPassKit
import IRCSupport
import Testing

private let file = TextFile(path: "x.yaml", text: "")

private func scalar(_ text: String) -> OptionValue {
  OptionValue(.scalar(text), span: SourceSpan(file: file, line: 1, column: 1, length: 1))
}

private func mapping(_ entries: KeyValuePairs<String, OptionValue>) -> OptionValue {
  let span = SourceSpan(file: file, line: 1, column: 1, length: 1)
  return OptionValue(
    .mapping(entries.map { .init(key: $0.key, keySpan: span, value: $0.value) }), span: span)
}

private enum Shade: String, PassOptionChoice { case light, dark }

private struct Sample: Pass {
  static let info = PassInfo(name: "sample", summary: "None.", preservesFunction: true)
  @PassOption("Share.", in: 0...0.5) var clipShare = 0.25
  @PassOption("Count.", in: 1...9) var rounds = 3
  @PassOption("Shade.") var shade = Shade.light
  @PassOption("Names.") var names: [String] = []
  init() {}
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

private struct Limited: Pass {
  static let info = PassInfo(name: "limited", summary: "None.", preservesFunction: true)
  @PassOption("Most.", in: 1...9) var most: Int? = nil
  init() {}
  func run(on graph: inout Graph, in context: PassContext) throws {}
}

@Suite struct OptionTests {
  @Test func declarations() {
    let options = Sample().options
    #expect(options.map(\.key) == ["clip_share", "rounds", "shade", "names"])
    #expect(options.map(\.text) == ["0.25", "3", "light", "[]"])
    #expect(
      options.map(\.schema.description) == [
        "a number from 0.0 to 0.5", "a whole number from 1 to 9", "light | dark",
        "a list (each element text)",
      ])
  }

  @Test func settingChangesOneValueOnly() throws {
    var first = Sample()
    first.shade = .dark
    var second = first
    let third = first
    try first.options[1].set(scalar("7"), of: &first)
    second.rounds = 5
    #expect(first.rounds == 7 && second.rounds == 5 && third.rounds == 3)
    #expect([first, second, third].allSatisfy { $0.shade == .dark && $0.clipShare == 0.25 })
    // The same through what the registry holds.
    var pass: any Pass = first
    try pass.options[3].set(
      OptionValue(.sequence([scalar("a")]), span: scalar("").span), of: &pass)
    #expect(pass.options.map(\.text) == ["0.25", "7", "dark", "[a]"])
    #expect(first.names.isEmpty)
  }

  @Test func absentOptions() throws {
    var pass = Limited()
    #expect(pass.options.map(\.text) == ["null"])
    #expect(pass.options.map(\.schema.description) == ["a whole number from 1 to 9"])
    try pass.options[0].set(scalar("7"), of: &pass)
    #expect(pass.most == 7 && pass.options[0].text == "7")
    #expect(throws: DiagnosticList.self) {
      try pass.options[0].set(scalar("10"), of: &pass)
    }
    #expect(pass.most == 7)
    let span = SourceSpan(file: file, line: 1, column: 1, length: 1)
    try pass.options[0].set(OptionValue(.null, span: span), of: &pass)
    #expect(pass.most == nil)
  }

  @Test(arguments: [
    (0, "0.6", "options.range"), (0, "nan", "options.type"), (1, "10", "options.range"),
    (1, "3.0", "options.type"), (1, "99999999999999999999", "options.type"),
    (2, "lite", "options.type"), (3, "x", "options.type"),
  ])
  func rejection(_ index: Int, _ text: String, _ id: String) {
    var pass = Sample()
    let error = #expect(throws: DiagnosticList.self) {
      try pass.options[index].set(scalar(text), of: &pass)
    }
    #expect(error?.diagnostics.map(\.id) == [id])
  }

  @Test func schemesRoundTripAsText() throws {
    let weights = mapping([
      "format": scalar("int4"), "granularity": scalar("group"), "size": scalar("64"),
    ])
    let activations = mapping([
      "format": scalar("int8"), "granularity": scalar("tensor"), "range": scalar("percentile"),
      "percentile": scalar("99.5"),
    ])
    let scheme = try QuantizationScheme(
      option: mapping([
        "weights": weights, "activations": activations, "embeddings": scalar("none"),
      ]))
    #expect(scheme.weights.granularity == .group(64))
    #expect(scheme.weights.scaleFormat == .f16)
    #expect(scheme.activations?.range == .percentile(99.5))
    #expect(scheme.embeddings == nil)
    #expect(
      scheme.optionText
        == "{weights: {format: int4, granularity: group, size: 64, scale: f16}, activations: {format: int8, granularity: tensor, range: percentile, percentile: 99.5}, embeddings: none}"
    )
  }

  @Test func caches() throws {
    let weights = mapping(["format": scalar("int8")])
    func cache(_ value: OptionValue) throws -> QuantizationScheme {
      try QuantizationScheme(option: mapping(["weights": weights, "cache": value]))
    }
    for value in [
      mapping(["format": scalar("int8")]),
      mapping(["format": scalar("int8"), "granularity": scalar("head")]),
    ] {
      let scheme = try cache(value)
      #expect(scheme.cache == NumericFormat.integer(bits: 8))
      #expect(scheme.optionText.hasSuffix(", cache: {format: int8, granularity: head}}"))
    }
    #expect(try cache(scalar("none")).cache == nil)
    #expect(try !cache(scalar("none")).optionText.contains("cache"))
  }

  @Test func schemesReportEveryProblem() {
    let weights = mapping([
      "format": scalar("int4"), "granularity": scalar("group"), "size": scalar("40"),
    ])
    let activations = mapping(["format": scalar("int8"), "range": scalar("min-max")])
    let error = #expect(throws: DiagnosticList.self) {
      try QuantizationScheme(
        option: mapping(["weights": weights, "activations": activations, "x": scalar("1")]))
    }
    #expect(
      error?.diagnostics.map(\.id).sorted() == [
        "options.constraint", "options.constraint", "options.unknown-key",
      ])
  }

  @Test(arguments: [
    ("plain.name_1/x", "plain.name_1/x"), ("", "\"\""), ("null", "\"null\""), ("-x", "\"-x\""),
    ("a b", "\"a b\""), ("é\"\\", "\"é\\\"\\\\\""), ("\u{85}\n", "\"\\U00000085\\U0000000a\""),
  ])
  func scalarsAsText(_ text: String, _ expected: String) {
    #expect(text.optionText == expected)
  }
}
