import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import Testing

/// The group that a rule declares is the largest that passes: elements of each next larger group change what the operator computes.
///
/// Together with `InvarianceTests.declaredTransformsPass` this pins every rule from both sides, so that a rule which admits too little
/// is found as surely as one that admits too much.
@Suite struct MaximalityTests {
  @Test(arguments: InvarianceTests.cases)
  func nextLargerGroupsFail(test: InvarianceTests.Case) throws {
    let types = test.operands.map(\.type)
    let ties = test.op.invariance(types).ties
    // What a product determines has no choice of its own.
    let products = ties.filter { $0.transport == .product }.compactMap(\.axes.last)
    var seen = products.reduce(into: Set<OperatorAxis>()) {
      $0.formUnion(InvarianceSampler.group(at: $1, ties).reached)
    }
    var looked = 0
    for axis in ties.flatMap(\.axes) where !seen.contains(axis) {
      let (group, reached) = InvarianceSampler.group(at: axis, ties)
      seen.formUnion(reached)
      looked += 1
      for larger in group.nextLarger {
        let isLeftOut = Self.leftOut.contains { $0(test.op, axis, larger) }
        #expect(
          try violates(test, axis, larger) != isLeftOut,
          "\(larger) at \(axis), declared is \(group)")
      }
    }
    #expect(looked > 0)
  }

  /// What passes although the rule says less: scales of symmetric formats follow signs, or factors of a row, but no pass could use
  /// that, since the codes made with them do not.
  private static let leftOut: [@Sendable (any Operator, OperatorAxis, TransformGroup) -> Bool] = [
    { op, _, group in
      guard let spec = (op as? QuantizationParameters)?.spec, spec.granularity == .tensor else {
        return false
      }
      return spec.isSymmetric && group == .signedPermutation
    },
    { op, axis, group in
      guard let spec = (op as? QuantizationParameters)?.spec, case .group = spec.granularity else {
        return false
      }
      return axis == .operand(0, 0) && group == .positiveMonomial
    },
  ]

  /// True if some draw from the group at the axis changes the function, or cannot be passed on at all.
  private func violates(
    _ test: InvarianceTests.Case, _ axis: OperatorAxis, _ group: TransformGroup
  ) throws -> Bool {
    for seed in UInt64(1)...3 {
      do {
        let sampler = try InvarianceSampler(
          test.op, test.operands.map(\.type), seed: seed, drawing: (axis, group))
        let violation = try InvarianceTests.violation(test.op, test.operands, sampler.transforms)
        if violation > 1e-6 { return true }
      } catch is InvarianceSampler.Conflict {
        // The axes cannot all follow.
        return true
      } catch is OperatorError {
        // The operator refuses what it is given.
        return true
      } catch is Diagnostic {
        return true
      }
    }
    return false
  }
}

extension TransformGroup {
  /// The groups just above this one in the order that `TransformGroup` documents.
  fileprivate var nextLarger: [TransformGroup] {
    switch self {
    case .identity: [.permutation, .signs, .positiveDiagonal, .pairRotations]
    case .permutation: [.signedPermutation, .positiveMonomial]
    case .signs: [.diagonal, .signedPermutation]
    case .signedPermutation: [.orthogonal, .monomial]
    case .positiveDiagonal: [.diagonal, .positiveMonomial]
    case .diagonal, .positiveMonomial: [.monomial]
    case .monomial, .orthogonal, .complexPairs: [.general]
    case .pairRotations: [.orthogonal, .complexPairs]
    case .pairScales: [.complexPairs, .positiveDiagonal]
    case .blocks(let inner, let count):
      inner.nextLarger.map { .blocks(of: $0, count: count) } + (inner == .general ? [.general] : [])
    case .general: []
    }
  }
}
