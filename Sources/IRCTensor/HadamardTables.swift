package import CKernels

/// What the kernels need to know of a rotation, as they want it: bits of signs (`irc_hadamard` in `irc_kernels.h`).
package struct HadamardTables: Sendable {
  /// Order of the rotation.
  package let order: Int
  /// Order of the Sylvester factor.
  package let power: Int
  /// Orders of the dense bases with the signs of their entries.
  package let bases: [(order: Int, signs: [UInt32])]
  /// Signs before the matrix; empty for none.
  package let signsBefore: [UInt32]
  /// Signs after the matrix; empty for none.
  package let signsAfter: [UInt32]
  /// 1 / √order.
  package let scale: Double

  /// The tables of R, or of Rᵀ = Hᵀ·diag(signs) / √n.
  package init(_ rotation: HadamardRotation, isTransposed: Bool) {
    let hadamard = rotation.hadamard
    order = hadamard.order
    power = hadamard.power
    bases = hadamard.bases.map { ($0, HadamardTables.signs(ofBase: $0, isTransposed)) }
    let signs = rotation.seed == nil ? [] : HadamardTables.signs(rotation.isNegated)
    signsBefore = isTransposed ? [] : signs
    signsAfter = isTransposed ? signs : []
    scale = 1 / Double(order).squareRoot()
  }

  /// Lends the description that the kernels read.
  package func withPlan<Result>(_ body: (UnsafePointer<irc_hadamard>) -> Result) -> Result {
    let words = bases.flatMap(\.signs)
    return unsafe words.withUnsafeBufferPointer { words in
      unsafe signsBefore.withUnsafeBufferPointer { before in
        unsafe signsAfter.withUnsafeBufferPointer { after in
          var descriptions: [irc_hadamard_base] = unsafe []
          var start = 0
          for base in bases {
            unsafe descriptions.append(
              irc_hadamard_base(
                order: base.order, signs: words.baseAddress.map { unsafe $0 + start }))
            start += base.signs.count
          }
          return unsafe descriptions.withUnsafeBufferPointer { descriptions in
            var plan = unsafe irc_hadamard(
              order: order, power: power, bases: bases.count, base: descriptions.baseAddress,
              signs_before: signsBefore.isEmpty ? nil : before.baseAddress,
              signs_after: signsAfter.isEmpty ? nil : after.baseAddress, scale: scale)
            return unsafe body(&plan)
          }
        }
      }
    }
  }

  /// A row of bits for each output b: set where H[a, b], or H[b, a], is −1.
  private static func signs(ofBase order: Int, _ isTransposed: Bool) -> [UInt32] {
    guard let base = HadamardBase(order: order) else { return [] }
    let words = (order + 31) / 32
    var signs = [UInt32](repeating: 0, count: order * words)
    for b in 0..<order {
      for a in 0..<order where (isTransposed ? base.entry(b, a) : base.entry(a, b)) < 0 {
        signs[b * words + a / 32] |= 1 << UInt32(a % 32)
      }
    }
    return signs
  }

  /// A bit for each channel, neighbours in neighbouring words.
  private static func signs(_ isNegated: [Bool]) -> [UInt32] {
    var signs = [UInt32](repeating: 0, count: (isNegated.count + 511) / 512 * 16)
    for (i, isNegative) in isNegated.enumerated() where isNegative {
      signs[i / 512 * 16 + i % 16] |= 1 << UInt32(i / 16 % 32)
    }
    return signs
  }
}
