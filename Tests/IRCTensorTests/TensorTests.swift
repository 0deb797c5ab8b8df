import IRCTensor
import Testing

@Suite("Tensors")
struct TensorTests {
  @Test("A slice of rows shares the elements of its tensor")
  func slices() {
    let tensor = Tensor([3, 2], [1, 2, 3, 4, 5, 6] as [Float])
    #expect(tensor.slice(rows: 1..<3).array(of: Float.self) == [3, 4, 5, 6])
    #expect(tensor.slice(rows: 1..<1).count == 0)
    #expect(tensor.reshaped([2, 3]).slice(rows: 1..<2).array(of: Float.self) == [4, 5, 6])
  }

  @Test("Memory starts as zeros, scalars hold one element, and empty tensors none")
  func extents() {
    #expect(Tensor(zeros: [2, 2], .i32).array(of: Int32.self) == [0, 0, 0, 0])
    #expect(Tensor([], [7] as [Double]).count == 1)
    #expect(Tensor(zeros: [0, 5], .f32).byteCount == 0)
    #expect(Tensor(zeros: [4, 5], .f16).byteCount == 40)
  }

  @Test(
    "Large tensors start as zeros too, and live as long as a slice of them", arguments: [-8, 0, 8])
  func large(extra: Int) {
    let count = (4 << 20) / 8 + extra
    var slice: Tensor?
    do {
      let tensor = Tensor([count, 1], of: Double.self) { elements in
        #expect(elements.allSatisfy { $0 == 0 })
        elements[count - 1] = 3
      }
      slice = tensor.slice(rows: count - 2..<count)
    }
    #expect(slice?.array(of: Double.self) == [0, 3])
  }

  @Test("A matrix product, in either precision and with either operand transposed")
  func products() {
    check(Float.self)
    check(Double.self)
  }

  private func check<Scalar: Real>(_ scalar: Scalar.Type) {
    let a: [Scalar] = [1, 2, 3, 4, 5, 6]
    let b: [Scalar] = [7, 8, 9, 10, 11, 12]
    let transposedA: [Scalar] = [1, 4, 2, 5, 3, 6]
    let transposedB: [Scalar] = [7, 9, 11, 8, 10, 12]
    for (left, right, flipA, flipB) in [
      (a, b, false, false), (transposedA, b, true, false), (a, transposedB, false, true),
    ] {
      var c = [Scalar](repeating: 1, count: 4)
      Scalar.multiply(
        m: 2, n: 2, k: 3, left, lda: flipA ? 2 : 3, transposeA: flipA, right,
        ldb: flipB ? 3 : 2, transposeB: flipB, beta: 1, &c, ldc: 2)
      #expect(c == [59, 65, 140, 155])
    }
  }
}

@Suite("Random numbers")
struct RandomNumbersTests {
  @Test("Equal seeds and places give equal numbers, other seeds or places others")
  func determinism() {
    let first = RandomNumbers(seed: 7)
    #expect((0..<100).allSatisfy { first.bits($0) == RandomNumbers(seed: 7).bits($0) })
    #expect(Set((0..<1000).map(first.bits)).count == 1000)
    #expect(first.bits(0) != RandomNumbers(seed: 8).bits(0))
  }

  @Test("Uniform and normal numbers have their mean and variance")
  func moments() {
    let random = RandomNumbers(seed: 1)
    let uniform = (0..<20_000).map(random.uniform)
    #expect(uniform.allSatisfy { (0..<1).contains($0) })
    #expect(abs(uniform.reduce(0, +) / 20_000 - 0.5) < 0.01)
    let normal = (0..<20_000).map(random.normal)
    #expect(abs(normal.reduce(0, +) / 20_000) < 0.03)
    #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / 20_000 - 1) < 0.04)
  }

  @Test("Whole numbers stay below their bound and reach all of it")
  func integers() {
    let random = RandomNumbers(seed: 3)
    #expect(Set((0..<500).map { random.integer($0, below: 7) }) == Set(0..<7))
  }
}
