import CKernels

/// One thing to measure: a product of a matrix with activations, or a transform.
package struct KernelCase: Sendable {
  /// What is done.
  enum Work: Sendable {
    /// A product with activations of so many bits; nil for floats.
    case product(activationBits: UInt32?)
    /// The same with a branch of this rank beside it.
    case branched(activationBits: UInt32, rank: Int)
    /// A fast Walsh–Hadamard transform of rows, with or without codes of 8 bits made of the result.
    case hadamard(quantizes: Bool)
  }

  let work: Work
  /// The format of the weights; nil where there are none.
  package let format: WeightFormat?
  package let rows: Int
  package let cols: Int
  /// Tokens: rows of activations.
  package let n: Int

  /// Names of weights in results.
  package var weights: String {
    switch work {
    case .product: format?.name ?? ""
    case .branched(_, let rank): "\(format?.name ?? "")+rank\(rank)"
    case .hadamard: "hadamard"
    }
  }

  /// Names of activations in results.
  package var activations: String {
    switch work {
    case .product(let bits): bits.map { "i\($0)" } ?? "f32"
    case .branched(let bits, _): "i\(bits)"
    case .hadamard(let quantizes): quantizes ? "i8" : "f32"
    }
  }

  /// Columns that share a scale; 0 for all of a row.
  package var group: Int { format?.group ?? 0 }

  /// Operations, a product and its sum being two; of transforms, what their sums are.
  var operations: Double {
    switch work {
    case .hadamard: Double(n) * Double(cols) * Double(cols.trailingZeroBitCount)
    default: 2 * Double(rows) * Double(cols) * Double(n)
    }
  }

  /// True if reading memory is what limits it.
  var isMemoryBound: Bool {
    if case .hadamard = work { return true }
    return n == 1
  }

  /// True if other libraries have something like it.
  var hasPeers: Bool {
    if case .product(let bits) = work { return bits != 4 }
    return false
  }

  /// What `--only` looks at, as in `int4/32 i8 4096x4096 n=512`.
  package var label: String {
    let format = group == 0 ? weights : "\(weights)/\(group)"
    return "\(format) \(activations) \(rows)x\(cols) n=\(n)"
  }
}

/// The shape of a matrix of weights.
package struct MatrixShape: Sendable, Hashable {
  package let rows: Int
  package let cols: Int

  /// Takes positive sizes.
  package init(rows: Int, cols: Int) {
    self.rows = rows
    self.cols = cols
  }

  /// Reads `ROWSxCOLS`; nil for anything else. Columns are a multiple of 32, as kernels take them without padding.
  package init?(_ text: Substring) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let rows = Int(parts[0]), let cols = Int(parts[1]) else { return nil }
    guard (1...1 << 20).contains(rows), (32...1 << 20).contains(cols), cols.isMultiple(of: 32)
    else { return nil }
    self.init(rows: rows, cols: cols)
  }

  /// What is measured unless something else is asked for.
  package static let usual = [
    MatrixShape(rows: 2048, cols: 2048), MatrixShape(rows: 4096, cols: 4096),
    MatrixShape(rows: 11008, cols: 4096),
  ]
}

/// What `--suite` names.
package enum KernelSuite {
  /// The names of suites.
  package static let names = ["kernels"]

  /// Cases with the same weights and shape, which share a ring and the rings of peers.
  package struct Section {
    package let format: WeightFormat?
    package let shape: MatrixShape
    package let cases: [KernelCase]
  }

  private static let formats: [WeightFormat] = [
    .integer(8, group: 0), .integer(4, group: 32), .integer(4, group: 128),
    .integer(3, group: 32), .integer(2, group: 32), .mxfp4, .nvfp4, .nf4, .nf4Int8,
  ]

  /// Tokens of the products with 8-bit activations, by format; one token is measured with every format.
  private static func tokens(_ format: WeightFormat) -> [Int] {
    switch (format.name, format.group) {
    case ("int8", _): [8, 32, 128, 512]
    case ("int4", _), ("int2", _): [32, 512]
    default: []
    }
  }

  /// All cases for these shapes whose label fits one of the patterns; all cases if there are none.
  package static func sections(_ shapes: [MatrixShape], only patterns: [CasePattern]) -> [Section] {
    func section(_ format: WeightFormat?, _ shape: MatrixShape, _ cases: [KernelCase]) -> Section? {
      let chosen = cases.filter { entry in
        patterns.isEmpty || patterns.contains { $0.matches(entry.label) }
      }
      return chosen.isEmpty ? nil : Section(format: format, shape: shape, cases: chosen)
    }
    let products = formats.flatMap { format in
      shapes.compactMap { section(format, $0, cases(format, $0)) }
    }
    var orders: [Int] = []
    for shape in shapes where shape.cols.nonzeroBitCount == 1 && !orders.contains(shape.cols) {
      orders.append(shape.cols)
    }
    let transforms = orders.compactMap { order in
      let shape = MatrixShape(rows: order, cols: order)
      let cases = [false, true].map {
        KernelCase(
          work: .hadamard(quantizes: $0), format: nil, rows: order, cols: order, n: order)
      }
      return section(nil, shape, cases)
    }
    return products + transforms
  }

  private static func cases(_ format: WeightFormat, _ shape: MatrixShape) -> [KernelCase] {
    func entry(_ work: KernelCase.Work, _ n: Int) -> KernelCase {
      KernelCase(work: work, format: format, rows: shape.rows, cols: shape.cols, n: n)
    }
    var cases: [KernelCase] = []
    if format.hasIntegers { cases.append(entry(.product(activationBits: 8), 1)) }
    // A format that is rounded for integers is nothing that floats would be multiplied with.
    if format != .nf4Int8 { cases.append(entry(.product(activationBits: nil), 1)) }
    cases += tokens(format).map { entry(.product(activationBits: 8), $0) }
    if format == .integer(4, group: 32) {
      cases += [32, 512].map { entry(.product(activationBits: 4), $0) }
      cases.append(entry(.branched(activationBits: 4, rank: 32), 512))
    }
    return cases
  }
}
