import IRCPassKit
package import IRCPassManager
package import IRCSupport

/// Writes JSON Schemas (draft 2020-12) of the files that users write, for editors, from the declarations that validation uses.
package struct SchemaWriter {
  private let registry: PassRegistry

  /// Prepares to describe these passes.
  package init(_ registry: PassRegistry) {
    self.registry = registry
  }

  /// The schema of a model file.
  package func modelSchema() -> JSON {
    document("irc model file", Language.modelFields)
  }

  /// The schema of a pipeline file.
  package func pipelineSchema() -> JSON {
    document("irc pipeline", Language.pipelineFields)
  }

  /// The schema of a scheme file.
  package func schemeSchema() -> JSON {
    document("irc quantization scheme", Language.schemeFields)
  }

  private func document(_ title: String, _ fields: [OptionSchema.Field]) -> JSON {
    let head: [(key: String, value: JSON)] = [
      ("$schema", "https://json-schema.org/draft/2020-12/schema"), ("title", .string(title)),
    ]
    return .object(
      head + mapping(fields)
        + [("$defs", .object([("passes", passList()), ("scheme", scheme())]))])
  }

  private func mapping(_ fields: [OptionSchema.Field]) -> [(key: String, value: JSON)] {
    let properties = fields.map { field in
      (key: field.name, value: described(schema(of: field), field.help))
    }
    var members: [(key: String, value: JSON)] = [
      ("type", "object"), ("properties", .object(properties)), ("additionalProperties", false),
    ]
    let required = fields.filter(\.isRequired).map { JSON.string($0.name) }
    if !required.isEmpty { members.append(("required", .array(required))) }
    return members
  }

  private func schema(of field: OptionSchema.Field) -> JSON {
    switch field.name {
    case "irc": .object([("const", .integer(Language.version))])
    case "passes": reference("passes")
    case "pipeline": .object([("anyOf", [.object([("type", "string")]), reference("passes")])])
    default: schema(of: field.schema)
    }
  }

  private func described(_ schema: JSON, _ help: String) -> JSON {
    guard case .object(let members) = schema else { return schema }
    return .object([("description", .string(help))] + members)
  }

  private func reference(_ name: String) -> JSON {
    .object([("$ref", .string("#/$defs/\(name)"))])
  }

  private func scheme() -> JSON { .object(mapping(QuantizationScheme.fields)) }

  private func passList() -> JSON {
    let names = registry.passes.map { JSON.string($0.info.name) }
    var properties = registry.passes.map { pass in
      (key: pass.info.name, value: described(options(of: pass), pass.info.summary))
    }
    properties.append(
      (
        key: "include",
        value: .object([
          ("description", "Another pipeline, by name or path."), ("type", "string"),
        ])
      ))
    properties.append(
      (
        key: "emit",
        value: .object([
          ("description", "Exporters; '$emit' are those that the model file names."),
          ("type", ["string", "array"]), ("items", .object([("type", "string")])),
        ])
      ))
    let entry: [(key: String, value: JSON)] = [
      ("type", "object"), ("properties", .object(properties)), ("additionalProperties", false),
      ("minProperties", 1), ("maxProperties", 1),
    ]
    return .object([
      ("type", "array"),
      ("items", .object([("anyOf", [.object([("enum", .array(names))]), .object(entry)])])),
    ])
  }

  private func options(of pass: any DeclaredPass) -> JSON {
    let properties = registry.options(of: pass).map { option in
      // Any option of a pass may be a variable.
      let variable = JSON.object([("type", "string"), ("pattern", "^\\$[a-z]+$")])
      let null = option.isOptional ? [JSON.object([("type", "null")])] : []
      return (
        key: option.key,
        value: described(
          .object([("anyOf", .array([schema(of: option.schema), variable] + null))]),
          "\(option.help) Default: \(option.text)")
      )
    }
    return .object([
      ("type", ["object", "null"]), ("properties", .object(properties)),
      ("additionalProperties", false),
    ])
  }

  private func schema(of schema: OptionSchema) -> JSON {
    switch schema {
    case .integer(let range):
      return .object(
        [("type", "integer")]
          + bound("minimum", .integer(range.lowerBound), range.lowerBound != .min)
          + bound("maximum", .integer(range.upperBound), range.upperBound != .max))
    case .number(let range):
      return .object(
        [("type", "number")] + bound("minimum", .real(range.lowerBound), range.lowerBound.isFinite)
          + bound("maximum", .real(range.upperBound), range.upperBound.isFinite))
    case .boolean: return .object([("type", "boolean")])
    case .text, .component:
      return .object([("type", ["string", "number", "boolean"])])
    case .choice(let words): return .object([("enum", .array(words.map { .string($0) }))])
    case .list(let element):
      return .object([("type", "array"), ("items", self.schema(of: element))])
    case .mapping(let fields): return .object(mapping(fields))
    case .either(let kinds): return .object([("anyOf", .array(kinds.map { self.schema(of: $0) }))])
    case .scheme:
      return .object([("anyOf", [.object([("type", "string")]), reference("scheme")])])
    case .document:
      return .object([("anyOf", [.object([("type", "string")]), .object([("type", "object")])])])
    case .anything: return .object([])
    }
  }

  private func bound(
    _ name: String, _ value: JSON, _ isBound: Bool
  ) -> [(key: String, value: JSON)] {
    isBound ? [(key: name, value: value)] : []
  }
}
