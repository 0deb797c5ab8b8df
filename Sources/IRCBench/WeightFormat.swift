import CKernels

/// A format of weights that kernels are measured with.
package struct WeightFormat: Sendable, Hashable {
  /// What it is called in results, as in pipelines.
  package let name: String
  /// Bits of a code.
  let bits: UInt32
  /// Columns that share a scale; 0: all of a row.
  package let group: Int
  let scaleType: irc_scale_type
  /// The values of codes, of formats that have a table.
  let values: [Float]
  /// The same as integers; empty where they are none.
  let levels: [Int8]
  /// What an integer stands for.
  let step: Float

  private init(
    _ name: String, bits: UInt32, group: Int, _ scaleType: irc_scale_type, values: [Float] = [],
    levels: [Int8] = [], step: Float = 1
  ) {
    self.name = name
    self.bits = bits
    self.group = group
    self.scaleType = scaleType
    self.values = values
    self.levels = levels
    self.step = step
  }

  package static func == (a: WeightFormat, b: WeightFormat) -> Bool {
    a.name == b.name && a.group == b.group
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(group)
  }

  /// Integers with a float scale a row, or a half-precision scale a group.
  package static func integer(_ bits: UInt32, group: Int) -> WeightFormat {
    WeightFormat(
      "int\(bits)", bits: bits, group: group, group == 0 ? IRC_SCALE_F32 : IRC_SCALE_F16)
  }

  private static let fp4Levels: [Int8] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]
  private static let fp4Values = fp4Levels.map { Float($0) / 2 }

  /// 4-bit floats with a power of two for 32 of them.
  package static let mxfp4 = WeightFormat(
    "mxfp4", bits: 4, group: 32, IRC_SCALE_E8M0, values: fp4Values, levels: fp4Levels,
    step: 0.5)
  /// 4-bit floats with an 8-bit float for 16 of them.
  package static let nvfp4 = WeightFormat(
    "nvfp4", bits: 4, group: 16, IRC_SCALE_E4M3, values: fp4Values, levels: fp4Levels,
    step: 0.5)
  private static let quantiles: [Float] = [
    -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0,
    0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.4407098, 0.562617, 0.72295684, 1,
  ]
  private static let roundedQuantiles = quantiles.map { ($0 * 127).rounded() }

  /// Sixteen values of a table, which are no multiples of anything: what any codebook costs.
  package static let nf4 = WeightFormat(
    "nf4", bits: 4, group: 32, IRC_SCALE_F16, values: quantiles)
  /// Sixteen integers of a table.
  package static let nf4Int8 = WeightFormat(
    "nf4-int8", bits: 4, group: 32, IRC_SCALE_F16, values: roundedQuantiles,
    levels: roundedQuantiles.map { Int8($0) })

  /// True if the integer product can multiply with it.
  var hasIntegers: Bool { values.isEmpty || !levels.isEmpty }
}
