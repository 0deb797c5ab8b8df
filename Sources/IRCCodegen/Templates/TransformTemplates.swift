import CKernels
import IRCGraph
import IRCOps
import IRCTensor

extension HadamardTransform: EmittableOperator {
  var isRowwise: Bool { true }
  var isTokenwise: Bool { axis == 1 }

  func emit(_ step: inout StepBuilder) throws {
    guard axis == 1 else { throw OperatorError("a Hadamard transform along axis \(axis)") }
    guard let rotation = HadamardRotation(order: block, seed: seed) else {
      throw OperatorError("there is no Hadamard matrix of order \(block)")
    }
    let x = try step.replaceableRows(0)
    let tables = HadamardTables(rotation, isTransposed: isTransposed)
    let matrix = step.hadamard(tables)
    let y = try step.result()
    let scratch = unsafe tables.withPlan { unsafe irc_hadamard_scratch($0) }
    step.needScratch(bytes: 4 * scratch)
    step.program.needsHadamardKernel = true
    step.tunable(
      "hadamard_f32",
      [.rows(y)] + x.strided
        + [.tokens, "\(y.columns)", "&\(matrix)", scratch == 0 ? "NULL" : step.scratch])
  }
}

extension StepBuilder {
  /// The description that the kernel reads, as the name of a file-scope constant.
  fileprivate mutating func hadamard(_ tables: HadamardTables) -> String {
    let bases = tables.bases.map { base in
      "{\(base.order), \(words("hadamard_base", base.signs))}"
    }
    let list =
      bases.isEmpty
      ? "NULL"
      : constant("hadamard_bases") { name in
        [
          "static const irc_hadamard_base \(name)[\(bases.count)] = {\(bases.joined(separator: ", "))};"
        ]
      }
    let before = signs(tables.signsBefore)
    let after = signs(tables.signsAfter)
    return constant("hadamard") { name in
      [
        "// Order \(tables.order) = "
          + (tables.bases.map(\.order) + [tables.power]).map(String.init).joined(separator: " * "),
        "static const irc_hadamard \(name) = {",
        "  .order = \(tables.order), .power = \(tables.power), .bases = \(bases.count), .base = \(list),",
        "  .signs_before = \(before), .signs_after = \(after), .scale = \(doubleLiteral(tables.scale))};",
      ]
    }
  }

  private mutating func signs(_ signs: [UInt32]) -> String {
    signs.isEmpty ? "NULL" : words("hadamard_signs", signs)
  }

  /// A table of words of bits.
  private mutating func words(_ prefix: String, _ words: [UInt32]) -> String {
    constant(prefix) { name in
      var lines = ["static const uint32_t \(name)[\(words.count)] = {"]
      for start in stride(from: 0, to: words.count, by: 8) {
        let row = words[start..<min(start + 8, words.count)].map { "0x\(String($0, radix: 16))" }
        lines.append("  \(row.joined(separator: ", ")),")
      }
      return lines + ["};"]
    }
  }
}

extension ChannelScale: EmittableOperator {
  var isRowwise: Bool { true }
  var isTokenwise: Bool { axis == 1 }

  func emit(_ step: inout StepBuilder) throws {
    guard axis == 1 else { throw OperatorError("factors along axis \(axis)") }
    let x = try step.replaceableRows(0)
    let factors = try step.floats(1)
    let y = try step.result()
    if isInverse {
      step.tunable(
        "div_rows_f32", [.rows(y)] + x.strided + [.text(factors), .tokens, "\(y.columns)"])
    } else {
      // Every row meets the same factors: a stride of zero.
      step.tunable(
        "mul_rows_f32", [.rows(y)] + x.strided + [.text(factors), "0", .tokens, "\(y.columns)"])
    }
  }
}

extension ScaledSiLU: EmittableOperator {
  var isRowwise: Bool { true }

  func emit(_ step: inout StepBuilder) throws {
    let x = try step.replaceableRows(0)
    let scale = try step.floats(1)
    let y = try step.result()
    step.tunable(
      "scaled_silu_rows_f32", [.rows(y)] + x.strided + [.text(scale), .tokens, "\(y.columns)"])
  }
}
