import IRCGraph
import IRCTensor

/// Writes a transform out for a place where its blocks stand several times in a row (grouped-query heads).
struct RepeatedBlocks {
  /// How items, taken for channels, stand at the place.
  private let element: Site.Element
  private var repeats: Int { element.repeats }

  /// - Parameters:
  ///   - element: what the place takes.
  ///   - width: channels of the transform.
  ///   - unit: channels of one item.
  init(_ element: Site.Element, of width: Int, unit: Int) {
    let size = max(1, (element.repeats == 1 ? width : element.block) / max(1, unit))
    self.element = Site.Element(inverse: false, repeats: element.repeats, block: size)
  }

  /// Rows of a tensor, a row an item.
  func expand(_ tensor: Tensor) -> Tensor {
    let count = tensor.shape[0]
    // One item for all blocks serves the repeated ones as well.
    guard repeats > 1, count > 1 else { return tensor }
    let row = tensor.shape.dropFirst().reduce(1, *)
    let source = tensor.array(of: Double.self)
    return unsafe Tensor([count * repeats] + tensor.shape.dropFirst(), of: Double.self) { target in
      for (place, item) in items(count).enumerated() {
        for column in 0..<row { unsafe target[place * row + column] = source[item * row + column] }
      }
    }
  }

  /// A permutation that stays within blocks.
  func expand(order: [Int]) -> [Int] {
    guard repeats > 1 else { return order }
    return items(order.count).enumerated().map { place, item in
      order[item] - item + place
    }
  }

  /// Which item stands at each place.
  private func items(_ count: Int) -> [Int] {
    (0..<count * repeats).map(element.channel)
  }
}
