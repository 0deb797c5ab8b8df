// Products with weights of three and four bits on one thread: integers, codebooks and binary codes by our kernel, and binary codes
// by LUT-GEMM's tables of sums.
import CKernels
import CLookUp
import Foundation
import IRCTensor

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 3, arguments.allSatisfy({ $0 > 0 }), arguments[1].isMultiple(of: 128)
else {
  FileHandle.standardError.write(
    Data("usage: fitted-benchmark OUTPUTS INPUTS RUNS, inputs a multiple of 128\n".utf8))
  exit(64)
}
let (outputs, inputs, runs) = (arguments[0], arguments[1], arguments[2])
let numbers = RandomNumbers(seed: 1)
let activations = (0..<32 * inputs).map { Float(numbers.normal($0)) }
let clock = ContinuousClock()

/// The least time of the runs, in milliseconds.
func milliseconds(_ body: () -> Void) -> Double {
  let times = (0..<runs).map { _ in clock.measure(body) }
  let least = times.min() ?? .zero
  return Double(least.components.attoseconds) * 1e-15 + Double(least.components.seconds) * 1e3
}

func row(_ name: String, _ one: Double, _ many: Double) {
  func text(_ value: Double) -> String {
    let tenths = "\((value * 10).rounded() / 10)"
    return String(repeating: " ", count: max(0, 12 - tenths.count)) + tenths
  }
  print(name + String(repeating: " ", count: max(0, 24 - name.count)) + text(one) + text(many))
}

func measure(_ name: String, bits: UInt32, group: Int, kind: irc_code_kind) {
  let bytes = irc_packed_row_bytes(inputs, bits)
  let codes = (0..<outputs * bytes).map { UInt8(numbers.integer($0, below: 256)) }
  let groups = irc_group_count(inputs, group)
  let count = outputs * groups * irc_group_numbers(kind, bits)
  let scales = [UInt16](repeating: 0x2C00, count: count)
  var y = [Float](repeating: 0, count: 32 * outputs)
  var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(inputs) / 4)
  codes.withUnsafeBytes { codes in
    scales.withUnsafeBytes { scales in
      var w = irc_packed_weights(
        codes: codes.baseAddress, scales: scales.baseAddress, zeros: nil, bits: bits,
        scale_type: IRC_SCALE_F16, out: outputs, in: inputs, group: group, groups: groups,
        row_bytes: bytes, values: nil, tensor_scale: nil, kind: kind,
        layout: IRC_LAYOUT_ROWS, levels: nil, level_step: 0)
      let times = [1, 32].map { tokens in
        milliseconds {
          irc_kernels_best().pointee.linear_q_f32(
            &y, outputs, activations, inputs, &w, nil, tokens, &scratch)
        }
      }
      row(name, times[0], times[1])
    }
  }
}

func measureLookUp(_ name: String, bits: Int, group: Int) {
  let planes = (0..<outputs * bits * inputs / 8).map { UInt8(numbers.integer($0, below: 256)) }
  let factors = [Float](repeating: 0.0625, count: outputs * bits * inputs / group)
  var y = [Float](repeating: 0, count: 32 * outputs)
  var tables = [Float](repeating: 0, count: 32 * inputs)
  let times = [1, 32].map { tokens in
    milliseconds {
      activations.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer { y in
          guard let x = x.baseAddress, let y = y.baseAddress else { return }
          for token in 0..<tokens {
            look_up_product(
              y + token * outputs, x + token * inputs, planes, factors, inputs, outputs, group,
              bits, &tables)
          }
        }
      }
    }
  }
  row(name, times[0], times[1])
}

print("[\(outputs), \(inputs)], milliseconds    1 token   32 tokens")
measure("int4, groups of 32", bits: 4, group: 32, kind: IRC_CODES_SCALED)
measure("int3, groups of 32", bits: 3, group: 32, kind: IRC_CODES_SCALED)
measure("codebook4, channels", bits: 4, group: inputs, kind: IRC_CODES_LISTED)
measure("codebook3, channels", bits: 3, group: inputs, kind: IRC_CODES_LISTED)
measure("binary4, groups of 128", bits: 4, group: 128, kind: IRC_CODES_SIGNED)
measure("binary3, groups of 128", bits: 3, group: 128, kind: IRC_CODES_SIGNED)
measureLookUp("binary4 by tables", bits: 4, group: 128)
measureLookUp("binary3 by tables", bits: 3, group: 128)
