import Foundation
import IRCOps
import IRCTensor
import Testing

@Suite("Attention that keys get")
struct ConcentrationTests {
  @Test("Sums of all weights, one for each query and head", arguments: [0, 3])
  func sums(window: Int) throws {
    let (tokens, heads, size) = (70, 4, 3)
    let numbers = RandomNumbers(seed: 2)
    let attention = Attention(heads: heads, keyValueHeads: 2, scale: 0.7, window: window)
    func values(_ columns: Int, _ start: Int) -> [Float] {
      (0..<tokens * columns).map { Float(numbers.normal(start + $0)) }
    }
    let (q, k) = (values(heads * size, 0), values(2 * size, 10_000))
    let received = try attention.concentration(
      Tensor([tokens, heads * size], q), Tensor([tokens, 2 * size], k))
    var expected = [Double](repeating: 0, count: tokens)
    for head in 0..<heads {
      for query in 0..<tokens {
        let first = window == 0 ? 0 : max(0, query - window + 1)
        let weights = (first...query).map { key in
          exp(
            0.7
              * (0..<size).reduce(0.0) {
                $0 + Double(q[query * heads * size + head * size + $1])
                  * Double(k[key * 2 * size + head / 2 * size + $1])
              })
        }
        let sum = weights.reduce(0, +)
        for (offset, weight) in weights.enumerated() { expected[first + offset] += weight / sum }
      }
    }
    for (a, b) in zip(received, expected) { #expect(abs(Double(a) - b) < 1e-4 * max(1, b)) }
    #expect(abs(received.reduce(0, +) - Float(heads * tokens)) < 0.01)
  }
}
