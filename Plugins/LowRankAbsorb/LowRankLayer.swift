import IRCPassKit

/// Linear layers that read one value: their weights below each other are decomposed as one.
struct LowRankLayer {
  /// One of them.
  struct Member {
    let operation: OperationID
    /// The weight's name.
    let name: String
    let weights: ValueID
    let outputs: Int
  }

  let input: ValueID
  let inputs: Int
  var members: [Member]

  /// Bytes of the input's second moment, in double and in single precision.
  var momentBytes: Int { 12 * inputs * inputs }
  /// Rows of all weights together.
  var outputs: Int { members.reduce(0) { $0 + $1.outputs } }
  /// Bits that each rank costs: a row and a column in half precision.
  var bitsPerRank: Int { 16 * (outputs + inputs) }
  /// The weights by name, for messages.
  var title: String { members.map { "'\($0.name)'" }.joined(separator: ", ") }

  /// The largest rank with which rest and branch together take no more bits than the weights would in 16 bits each.
  func largestRank(_ spec: QuantizationSpec) -> Int {
    let rest = members.reduce(0) { $0 + spec.storedBits(rows: $1.outputs, columns: inputs) }
    let saved = 16 * outputs * inputs - rest
    return max(0, min(saved / bitsPerRank, outputs, inputs))
  }

  /// The weights below each other, f32 [outputs, inputs].
  func weights(_ folder: ConstantFolder) throws -> Tensor {
    if members.count == 1 { return try folder.fold(members[0].weights) }
    return try unsafe Tensor([outputs, inputs], of: Float.self) { target in
      var start = 0
      for member in members {
        let count = member.outputs * inputs
        let part = unsafe UnsafeMutableBufferPointer(rebasing: target[start..<start + count])
        unsafe try folder.fold(member.weights).withElements(as: Float.self) {
          unsafe _ = part.update(from: $0)
        }
        start += count
      }
    }
  }

  /// Gives every member its part of the branch, and what the branch leaves of its weight.
  func absorb(_ factors: LowRankFactors, in graph: inout Graph, _ context: PassContext) throws {
    let first = members[0].operation
    let place = context.derived(from: graph[first].location)
    let down = try graph.attach(
      factors.down, numberedFrom: "\(context.instance)/\(members[0].name)/down", isKeptReal: true,
      before: first, at: place)
    let hidden = try graph.add(Linear(), [input, down], before: first, at: place)[0]
    let transposed = try graph.add(Transpose(order: [1, 0]), [down], before: first, at: place)
    let minus = try graph.add(Negate(), transposed, before: first, at: place)[0]
    var row = 0
    for member in members {
      let operation = graph[member.operation]
      let place = context.derived(from: operation.location)
      func add(_ op: any Operator, _ operands: [ValueID]) throws -> ValueID {
        try graph.add(op, operands, before: operation.id, at: place)[0]
      }
      let up = try graph.attach(
        factors.up.slice(rows: row..<row + member.outputs),
        numberedFrom: "\(context.instance)/\(member.name)/up", isKeptReal: true,
        before: operation.id, at: place)
      row += member.outputs
      let rest = try add(Add(), [member.weights, add(Linear(), [up, minus])])
      let main = try add(Linear(), [input, rest] + operation.operands.dropFirst(2))
      try graph.replace(operation.id, with: Add(), [main, add(Linear(), [hidden, up])])
    }
  }
}
