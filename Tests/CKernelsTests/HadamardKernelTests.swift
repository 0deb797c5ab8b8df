import CKernels
import Testing

@Suite("Hadamard kernels")
struct HadamardKernelTests {
  /// A product of matrices of signs, which need not be Hadamard matrices for the kernel.
  struct Case: Sendable, CustomTestStringConvertible {
    var bases: [Int]
    var power: Int
    var hasSigns = [false, false]
    var order: Int { bases.reduce(power, *) }
    var testDescription: String { "\(bases) and \(power), signs \(hasSigns)" }
  }

  static let cases =
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048].map { Case(bases: [], power: $0) }
    + [4, 8, 12, 28, 44, 48, 52, 60, 96, 100, 172].flatMap { base in
      [1, 2, 4, 8, 16, 32].map { power in
        Case(bases: [base], power: power, hasSigns: [power % 4 == 0, power % 8 == 0])
      }
    } + [
      Case(bases: [12, 20], power: 1), Case(bases: [20, 12], power: 8),
      Case(bases: [4, 12, 8], power: 4, hasSigns: [true, true]),
      Case(bases: [12], power: 128, hasSigns: [false, true]),
    ]

  /// The tables of a case, with the entries that they stand for.
  private struct Tables {
    let bases: [(order: Int, signs: [UInt32])]
    let signs: [[UInt32]]
    let scale = 0.375
    let test: Case

    init(_ test: Case) {
      var samples = Samples(UInt64(test.order))
      self.test = test
      bases = test.bases.map { order in
        (order, (0..<order * ((order + 31) / 32)).map { _ in samples.next() })
      }
      signs = (0..<2).map { _ in
        (0..<(test.order + 511) / 512 * 16).map { _ in samples.next() }
      }
    }

    func sign(_ side: Int, _ i: Int) -> Double {
      let bit = signs[side][i / 512 * 16 + i % 16] >> UInt32(i / 16 % 32) & 1
      return test.hasSigns[side] && bit == 1 ? -1 : 1
    }

    /// Entry [a, b] by definition.
    func entry(_ a: Int, _ b: Int) -> Double {
      var (row, column, value) = (a / test.power, b / test.power, scale * sign(0, a) * sign(1, b))
      if (a % test.power & b % test.power).nonzeroBitCount % 2 == 1 { value = -value }
      for base in bases.reversed() {
        let (i, j) = (row % base.order, column % base.order)
        let word = base.signs[j * ((base.order + 31) / 32) + i / 32]
        if word >> UInt32(i % 32) & 1 == 1 { value = -value }
        (row, column) = (row / base.order, column / base.order)
      }
      return value
    }

    func withPlan<R>(_ body: (UnsafePointer<irc_hadamard>) -> R) -> R {
      let words = bases.flatMap(\.signs)
      return words.withUnsafeBufferPointer { words in
        signs[0].withUnsafeBufferPointer { before in
          signs[1].withUnsafeBufferPointer { after in
            var start = 0
            let list = bases.map { base in
              defer { start += base.signs.count }
              return irc_hadamard_base(
                order: base.order, signs: words.baseAddress.map { $0 + start })
            }
            return list.withUnsafeBufferPointer { list in
              var plan = irc_hadamard(
                order: test.order, power: test.power, bases: list.count, base: list.baseAddress,
                signs_before: test.hasSigns[0] ? before.baseAddress : nil,
                signs_after: test.hasSigns[1] ? after.baseAddress : nil, scale: scale)
              return body(&plan)
            }
          }
        }
      }
    }
  }

  @Test(
    "Rows with a stride, in place and columns all are the product by definition", arguments: cases)
  func products(test: Case) {
    let tables = Tables(test)
    let (order, rows) = (test.order, test.order > 1000 ? 1 : 3)
    let width = 2 * order
    var samples = Samples(7)
    let x = samples.floats(rows * width)
    let entries = (0..<order * order).map { tables.entry($0 / order, $0 % order) }
    let exact = (0..<rows * width).map { at in
      let start = at / order * order
      return (0..<order).reduce(0.0) {
        $0 + Double(x[start + $1]) * entries[$1 * order + at % order]
      }
    }
    tables.withPlan { plan in
      var scratch = [Float](repeating: .nan, count: irc_hadamard_column_scratch(plan))
      var y = [Float](repeating: .nan, count: rows * width)
      let wide = SequenceTests.widen(x, rows: rows, to: width + 3)
      irc_hadamard_f32(&y, wide, width + 3, rows, width, plan, &scratch)
      #expect(close(y, exact, 2e-6))
      var inPlace = x
      inPlace.withUnsafeMutableBufferPointer {
        irc_hadamard_f32($0.baseAddress, $0.baseAddress, width, rows, width, plan, &scratch)
      }
      #expect(bitPatterns(inPlace) == bitPatterns(y))

      // The runs as columns of one matrix.
      let runs = 2 * rows
      let flipped = (0..<order * runs).map { x[$0 % runs * order + $0 / runs] }
      var columns = [Float](repeating: .nan, count: order * runs)
      irc_hadamard_columns_f32(&columns, runs, flipped, runs, runs, plan, &scratch)
      #expect(columns == (0..<order * runs).map { y[$0 % runs * order + $0 / runs] })

      var double = x.map(Double.init)
      var room = [Double](repeating: .nan, count: irc_hadamard_column_scratch(plan))
      double.withUnsafeMutableBufferPointer {
        irc_hadamard_f64($0.baseAddress, $0.baseAddress, width, rows, width, plan, &room)
      }
      #expect(zip(double, exact).allSatisfy { abs($0 - $1) < 1e-12 })
      var doubles = flipped.map(Double.init)
      doubles.withUnsafeMutableBufferPointer {
        irc_hadamard_columns_f64($0.baseAddress, runs, $0.baseAddress, runs, runs, plan, &room)
      }
      #expect(doubles == (0..<order * runs).map { double[$0 % runs * order + $0 / runs] })
    }
  }
}
