import CKernels
import IRCSupport

/// Something that is run again and again with the next copy of its weights.
protocol KernelWork: AnyObject {
  /// Runs it once.
  ///
  /// - Parameter timesMain: takes the time of the main part too, which is without making codes of activations.
  /// - Returns: that time in seconds, or 0.
  func step(timesMain: Bool) -> Double
}

/// What the works of one run share.
///
/// SAFETY: tables of kernels are never freed.
@safe
struct KernelSetting {
  let kernels: UnsafePointer<irc_kernels>
  let crew: ThreadCrew
  let layout: irc_layout
  /// Bytes that a ring holds at least.
  let ringBytes: Int

  var stopwatch: Stopwatch { Stopwatch(threads: crew.count) }
}

/// A product: float activations in, floats out, as a layer of a compiled library runs it.
final class ProductWork: KernelWork {
  private let ring: WeightRing
  private let setting: KernelSetting
  private let n: Int
  private let bits: UInt32?
  private let x: Memory
  private let codes: Memory
  private let scales: Memory
  private let y: Memory
  private let scratch: [Memory]
  private let branch: Branch?
  private var place = 0

  /// The factors of a branch in half precision, and what lies between them.
  private struct Branch {
    let rank: Int
    let down: Memory
    let up: Memory
    let hidden: Memory

    init(rank: Int, rows: Int, cols: Int, n: Int) {
      self.rank = rank
      down = Branch.halves(rank * cols, seed: 3)
      up = Branch.halves(rows * rank, seed: 4)
      hidden = Memory(bytes: 4 * n * rank)
    }

    private static func halves(_ count: Int, seed: Int) -> Memory {
      let memory = Memory(bytes: 2 * count)
      memory.fill(seed: seed)
      let words = unsafe memory.numbers(UInt16.self)
      for index in 0..<count { unsafe words[index] = 0x1400 | words[index] & 0x83FF }
      return memory
    }
  }

  /// - Parameters:
  ///   - bits: of codes that are made of the activations; nil to multiply with floats.
  ///   - rank: of a branch; nil for none.
  init(_ ring: WeightRing, n: Int, bits: UInt32?, rank: Int? = nil, in setting: KernelSetting) {
    self.ring = ring
    self.setting = setting
    self.n = n
    self.bits = bits
    x = Memory.activations(n * ring.cols, seed: 2)
    codes = Memory(bytes: bits == nil ? 0 : n * irc_code_stride(ring.cols))
    scales = Memory(bytes: 4 * n)
    y = Memory(bytes: 4 * n * ring.rows)
    branch = rank.map { Branch(rank: $0, rows: ring.rows, cols: ring.cols, n: n) }
    let room = max(
      irc_up_scratch_bytes(ring.cols, rank ?? 0), irc_down_scratch_bytes(rank ?? 0))
    scratch = (0..<setting.crew.count).map { _ in Memory(bytes: room) }
  }

  func step(timesMain: Bool) -> Double {
    let weights = unsafe ring[place]
    place = (place + 1) % ring.copies
    if bits != nil { makeCodes() }
    if timesMain { return setting.stopwatch.seconds { unsafe multiply(weights) } }
    unsafe multiply(weights)
    return 0
  }

  /// Codes of the tokens, which the threads share.
  private func makeCodes() {
    guard let bits else { return }
    let (n, cols, crew) = (n, ring.cols, setting.crew)
    let kernels = unsafe SharedPointer(setting.kernels)
    let (x, codes, scales, scratch, branch) = (x, codes, scales, scratch, branch)
    crew.run { thread in
      let tokens = crew.part(thread, of: n, unit: 1)
      if tokens.isEmpty { return }
      let stride = irc_code_stride(cols)
      let kernels = unsafe kernels.start.pointee
      let from = unsafe x.numbers(Float.self) + tokens.lowerBound * cols
      let to = unsafe codes.numbers(Int8.self) + tokens.lowerBound * stride
      let scale = unsafe scales.numbers(Float.self) + tokens.lowerBound
      if let branch {
        var down = unsafe irc_real_weights(
          values: branch.down.start, is_half: true, out: branch.rank, in: cols)
        unsafe kernels.quantize_tokens_down(
          to, stride, scale, nil,
          branch.hidden.numbers(Float.self) + tokens.lowerBound * branch.rank, branch.rank, from,
          cols, &down, tokens.count, bits, scratch[thread].start)
      } else {
        unsafe kernels.quantize_tokens_i8(
          to, stride, scale, nil, from, cols, tokens.count, cols, bits)
      }
    }
  }

  /// The product, of which each thread has some rows of the weights.
  private func multiply(_ weights: irc_packed_weights) {
    let (n, rows, cols, crew) = (n, ring.rows, ring.cols, setting.crew)
    let kernels = unsafe SharedPointer(setting.kernels)
    let (x, codes, scales, y, scratch) = (x, codes, scales, y, scratch)
    let (branch, hasCodes) = (branch, bits != nil)
    unsafe withUnsafePointer(to: weights) { weights in
      let weights = unsafe SharedPointer(weights)
      crew.run { thread in
        let part = crew.part(thread, of: rows, unit: 4 * IRC_PANEL_ROWS)
        if part.isEmpty { return }
        let kernels = unsafe kernels.start.pointee
        var some = unsafe irc_packed_rows(weights.start.pointee, part.lowerBound, part.count)
        let to = unsafe y.numbers(Float.self) + part.lowerBound
        if !hasCodes {
          unsafe kernels.linear_q_f32(
            to, rows, x.numbers(Float.self), cols, &some, nil, n, scratch[thread].start)
        } else if let branch {
          var up = unsafe irc_real_weights(
            values: branch.up.start + 2 * branch.rank * part.lowerBound, is_half: true,
            out: part.count, in: branch.rank)
          unsafe kernels.linear_q_i8_up(
            to, rows, codes.numbers(Int8.self), irc_code_stride(cols), scales.numbers(Float.self),
            nil, 1, &some, nil, branch.hidden.numbers(Float.self), branch.rank, &up, n,
            scratch[thread].start)
        } else {
          unsafe kernels.linear_q_i8(
            to, rows, codes.numbers(Int8.self), irc_code_stride(cols), scales.numbers(Float.self),
            nil, 1, &some, nil, n, scratch[thread].start)
        }
      }
    }
  }
}

/// Fast Walsh–Hadamard transforms of the rows of a square matrix of floats, one of a ring.
final class HadamardWork: KernelWork {
  private let order: Int
  private let setting: KernelSetting
  private let quantizes: Bool
  private let matrices: [Memory]
  private let codes: Memory
  private let scales: Memory
  private let scratch: [Memory]
  private var place = 0

  init(order: Int, quantizes: Bool, in setting: KernelSetting) {
    self.order = order
    self.setting = setting
    self.quantizes = quantizes
    let bytes = 4 * order * order
    let copies = max(2, (setting.ringBytes + bytes - 1) / bytes)
    matrices = (0..<copies).map { Memory.activations(order * order, seed: $0) }
    codes = Memory(bytes: quantizes ? order * order : 0)
    scales = Memory(bytes: 4 * order)
    var transform = unsafe Self.transform(order)
    let room = 4 * (unsafe irc_hadamard_tokens_scratch(&transform, order))
    scratch = (0..<setting.crew.count).map { _ in Memory(bytes: room) }
  }

  func step(timesMain: Bool) -> Double {
    let matrix = next()
    let (order, quantizes, crew) = (order, quantizes, setting.crew)
    let kernels = unsafe SharedPointer(setting.kernels)
    let (codes, scales, scratch) = (codes, scales, scratch)
    crew.run { thread in
      var transform = unsafe Self.transform(order)
      let kernels = unsafe kernels.start.pointee
      let part = crew.part(thread, of: order, unit: 1)
      let x = unsafe matrix.numbers(Float.self) + part.lowerBound * order
      let room = unsafe scratch[thread].numbers(Float.self)
      if quantizes {
        unsafe kernels.hadamard_tokens_i8(
          codes.numbers(Int8.self) + part.lowerBound * order, order,
          scales.numbers(Float.self) + part.lowerBound, nil, x, order, part.count, order, 8,
          &transform, room)
      } else {
        unsafe kernels.hadamard_f32(x, x, order, part.count, order, &transform, room)
      }
    }
    return 0
  }

  /// Sylvester's matrix of a power of two, orthonormal.
  private static func transform(_ order: Int) -> irc_hadamard {
    unsafe irc_hadamard(
      order: order, power: order, bases: 0, base: nil, signs_before: nil, signs_after: nil,
      scale: 1 / Double(order).squareRoot())
  }

  /// Seconds of multiplying the next matrix by a number in place.
  func scaling() -> Double {
    let matrix = next()
    let (order, crew) = (order, setting.crew)
    return setting.stopwatch.seconds {
      crew.run { thread in
        let part = crew.part(thread, of: order, unit: 1)
        unsafe irc_probe_scale(
          matrix.numbers(Float.self) + part.lowerBound * order, part.count * order / 64 * 64, 1)
      }
    }
  }

  private func next() -> Memory {
    place = (place + 1) % matrices.count
    return matrices[place]
  }
}
