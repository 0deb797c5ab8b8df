package import IRCCodegen
package import IRCSupport

/// The kernels of a library with predicted times, as `irc inspect --kernels` shows them.
package struct KernelsReport {
  /// What to predict times for.
  package struct Question: Hashable, Sendable {
    /// What the machine can do.
    package var roofline: Roofline
    /// Tokens that the context has seen before.
    package var past: Int

    /// Asks.
    package init(roofline: Roofline = .standard, past: Int = 0) {
      self.roofline = roofline
      self.past = past
    }
  }

  private let name: String
  private let plan: KernelPlan
  private let roofline: Roofline
  private let decode: KernelPlan.Call
  private let prefill: KernelPlan.Call

  /// Reports what an exporter would write.
  package init(_ emission: EmissionReport, _ question: Question) {
    name = emission.names.stem
    plan = emission.kernels
    roofline = question.roofline
    decode = KernelPlan.Call(tokens: 1, past: question.past)
    prefill = KernelPlan.Call(tokens: plan.chunk, past: question.past)
  }

  // MARK: - Text

  /// Tables for people: one for each layer, and sums.
  package var text: String {
    let head = [
      "operator", "kernel", "weights", "activations", "shape", "packing", "loop", "weight bytes",
      "read", "written", "MACs", "n=1", "bound by", "n=\(plan.chunk)", "bound by",
    ]
    let rows = alignedRows([head] + plan.steps.map(cells), [6, 7, 8, 9, 10, 11, 13])
    var lines = [
      "\(name): kernels in the order in which they run; bytes and MACs of one token"
        + (decode.past > 0 ? " after \(decode.past)" : ""),
      "times are predicted, not measured: \(limits)", "", rows[0],
    ]
    var layer = ""
    for (step, row) in zip(plan.steps, rows.dropFirst()) {
      let name = step.isTail ? "\(step.layer), where logits are asked for" : step.layer
      if name != layer { lines.append(name) }
      layer = name
      lines.append(row)
    }
    return (lines + [""] + sums).joined(separator: "\n") + "\n"
  }

  private func cells(of step: KernelPlan.Step) -> [String] {
    let weight = step.weights.first { $0.shape.count > 1 }
    let (one, many) = (predicted(step, decode), predicted(step, prefill))
    func bytes(_ amount: KernelPlan.Amount) -> String { "\(amount.total(of: decode))" }
    return [
      step.operation, step.kernel, weight?.format ?? "-", step.activations,
      step.shape.map(String.init).joined(separator: "x"), weight?.packing ?? "-",
      step.loop.map { "\($0)" } ?? "-", bytes(step.weightBytes), bytes(step.readBytes),
      bytes(step.writtenBytes), "\(products(step, decode))", microseconds(one.seconds),
      one.bound.rawValue, microseconds(many.seconds), many.bound.rawValue,
    ]
  }

  private var limits: String {
    "\(fixed(roofline.readRate * 1e-9, 1)) GB/s from memory, \(fixed(roofline.cacheRate * 1e-9, 1)) GB/s from caches, "
      + "\(fixed(roofline.integerRate * 1e-9, 0)) GOP/s of int8, \(fixed(roofline.realRate * 1e-9, 0)) GFLOP/s, one thread "
      + "(\(roofline.source))"
  }

  private var sums: [String] {
    let arena = plan.arena
    return alignedRows(
      [
        [
          "one token",
          "\(weightBytes(decode)) bytes of weights, \(products(decode)) MACs, predicted "
            + "\(microseconds(seconds(decode))), \(rate(decode)) tokens/s, \(share(decode)) bound by memory",
        ],
        [
          "\(plan.chunk) tokens",
          "\(weightBytes(prefill)) bytes of weights, \(products(prefill)) MACs, predicted "
            + "\(microseconds(seconds(prefill))), \(rate(prefill)) tokens/s, \(share(prefill)) bound by memory",
        ],
        ["arena", "\(arena.bytes) bytes for \(plan.chunk) tokens"],
        [
          "", "\(arena.bytesApart) without loops over tokens and results over what was read last",
        ],
        ["", "\(arena.bytesWithoutReuse) without reuse"],
        ["", "\(arena.largestLive) at least, for what lives during one step"],
      ], [])
  }

  private func share(_ call: KernelPlan.Call) -> String {
    let predictions = plan.steps.map { predicted($0, call) }
    let bound = predictions.reduce(0) { $0 + ($1.bound == .memory ? $1.seconds : 0) }
    return "\(fixed(100 * bound / max(seconds(call), .leastNormalMagnitude), 0)) %"
  }

  private func rate(_ call: KernelPlan.Call) -> String {
    fixed(Double(call.tokens) / max(seconds(call), .leastNormalMagnitude), 0)
  }

  private func microseconds(_ seconds: Double) -> String { "\(fixed(seconds * 1e6, 2)) us" }

  // MARK: - Sums

  private func predicted(
    _ step: KernelPlan.Step, _ call: KernelPlan.Call
  ) -> Roofline.Prediction {
    roofline.prediction(of: step, for: plan.call(step, in: call))
  }

  private func seconds(_ call: KernelPlan.Call) -> Double { roofline.seconds(of: plan, for: call) }

  private func products(_ step: KernelPlan.Step, _ call: KernelPlan.Call) -> Int {
    let call = plan.call(step, in: call)
    return step.integerProducts.total(of: call) + step.realProducts.total(of: call)
  }

  private func products(_ call: KernelPlan.Call) -> Int {
    plan.steps.reduce(0) { $0 + products($1, call) }
  }

  private func weightBytes(_ call: KernelPlan.Call) -> Int {
    plan.steps.reduce(0) { $0 + $1.weightBytes.total(of: plan.call($1, in: call)) }
  }

  // MARK: - JSON

  /// Keys are documented in `docs/commands.md`.
  package var json: JSON {
    .object([
      ("kind", "kernels"), ("name", .string(name)), ("chunk", .integer(plan.chunk)),
      ("past", .integer(decode.past)), ("roofline", roofline.json),
      (
        "steps",
        .array(
          plan.steps.map { step in
            .object(
              step.members + [
                ("decode", prediction(step, decode)), ("prefill", prediction(step, prefill)),
              ])
          })
      ),
      ("decode", total(decode)), ("prefill", total(prefill)), ("arena", plan.arena.json),
    ])
  }

  private func prediction(_ step: KernelPlan.Step, _ call: KernelPlan.Call) -> JSON {
    let prediction = predicted(step, call)
    let call = plan.call(step, in: call)
    return .object([
      ("weight_bytes", .integer(step.weightBytes.total(of: call))),
      ("read_bytes", .integer(step.readBytes.total(of: call))),
      ("written_bytes", .integer(step.writtenBytes.total(of: call))),
      ("integer_macs", .integer(step.integerProducts.total(of: call))),
      ("real_macs", .integer(step.realProducts.total(of: call))),
      ("predicted_seconds", .real(prediction.seconds)),
      ("bound", .string(prediction.bound.rawValue)),
    ])
  }

  private func total(_ call: KernelPlan.Call) -> JSON {
    .object([
      ("tokens", .integer(call.tokens)), ("weight_bytes", .integer(weightBytes(call))),
      ("macs", .integer(products(call))), ("predicted_seconds", .real(seconds(call))),
      (
        "predicted_tokens_per_second",
        .real(Double(call.tokens) / max(seconds(call), .leastNormalMagnitude))
      ),
    ])
  }
}

extension KernelPlan.Step {
  /// What does not depend on a call, as manifests and inspections have it.
  var members: [(key: String, value: JSON)] {
    [
      ("layer", .string(layer)), ("operator", .string(operation)), ("kernel", .string(kernel)),
      (
        "weights",
        .array(
          weights.map { weight in
            .object([
              ("name", .string(weight.name)), ("format", .string(weight.format)),
              ("packing", weight.packing.map(JSON.string) ?? .null),
              ("shape", .array(weight.shape.map(JSON.integer))), ("bytes", .integer(weight.bytes)),
            ])
          })
      ),
      ("activations", .string(activations)), ("shape", .array(shape.map(JSON.integer))),
      ("loop", loop.map(JSON.integer) ?? .null), ("tail", .bool(isTail)),
    ]
  }

  /// As manifests have it, with the multiplications of one token.
  var json: JSON {
    let token = KernelPlan.Call(tokens: 1)
    return .object(
      members + [
        ("integer_macs", .integer(integerProducts.total(of: token))),
        ("real_macs", .integer(realProducts.total(of: token))),
      ])
  }
}

extension KernelPlan.Arena {
  /// As manifests and inspections have it.
  var json: JSON {
    .object([
      ("bytes", .integer(bytes)), ("bytes_apart", .integer(bytesApart)),
      ("bytes_without_reuse", .integer(bytesWithoutReuse)),
      ("largest_live_bytes", .integer(largestLive)),
    ])
  }
}
