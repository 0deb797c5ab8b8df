import CIRCPlugin
import IRCGraph
import IRCPassKit
import IRCQuant
import IRCTensor

/// A weight that a plugin may round anew.
struct CPassWeight {
  let target: RoundedLinear
  /// All layers that read the rounded weight, in order.
  var layers: [OperationID]

  /// Extents of its scales.
  let scaleShape: [Int]
}

extension CPassCall {
  /// Looks for weights that are rounded to nearest and that an option chooses, or all.
  func findWeights(_ option: String?) throws -> Int {
    _ = try context
    let constants = graph.constants()
    var found: [CPassWeight] = []
    var places: [ValueID: Int] = [:]
    for (operation, _) in graph.operations(of: Linear.self) {
      let weight = operation.operands[1]
      if let place = places[weight] {
        found[place].layers.append(operation.id)
        continue
      }
      if constants.contains(operation.result) || graph.isKeptReal(weight) { continue }
      guard let target = RoundedLinear(operation, in: graph, constants: constants) else { continue }
      places[weight] = found.count
      found.append(
        CPassWeight(
          target: target, layers: [operation.id],
          scaleShape: graph.type(of: target.scales[0]).fixedShape ?? [0, 0]))
    }
    if let option {
      let chosen = WeightPatterns(include: try patterns(option), exclude: [])
      _ = try chosen.countMatches(among: found.map(\.target.name))
      found = found.filter { chosen.refusal(of: $0.target.name) == nil }
    }
    weights = found
    rounded = []
    let request = pass.description.measures ?? .range
    weightMeasurements = Measurements(
      found.map { weight in
        .success(
          StatisticGroup([graph[weight.target.operation].operands[0]], request))
      }, in: graph)
    return found.count
  }

  /// A weight by its index.
  func weight(_ index: Int) throws -> CPassWeight {
    guard weights.indices.contains(index) else {
      throw PassError.misuse(
        "there is no weight \(index) among the \(weights.count) that were found")
    }
    return weights[index]
  }

  /// What a plugin sees of a weight.
  func record(of weight: CPassWeight) -> irc_weight {
    let (target, spec) = (weight.target, weight.target.spec)
    var record = unsafe irc_weight()
    unsafe record.struct_size = unsafe UInt32(MemoryLayout<irc_weight>.size)
    unsafe record.has_zeros = spec.hasZeroPoints ? 1 : 0
    unsafe record.name = lend(target.name)
    unsafe record.format = lend("\(spec.format)")
    unsafe record.scale_format = lend(spec.scaleFormat.rawValue)
    unsafe (record.rows, record.columns) = (target.shape[0], target.shape[1])
    unsafe (record.scale_rows, record.scale_columns) = (weight.scaleShape[0], weight.scaleShape[1])
    unsafe record.group = spec.granularity.groupWidth(of: target.shape[1])
    unsafe record.numbers = spec.numbersPerGroup
    unsafe (record.lowest_code, record.highest_code) = spec.codeBounds
    if case .table(let format) = spec.format {
      let values = format.values
      unsafe record.values = lend(values, of: format.rawValue)
      unsafe record.value_count = values.count
    }
    return unsafe record
  }

  /// Writes the weight before rounding to where the plugin wants it.
  func readWeight(_ index: Int, to target: UnsafeMutablePointer<Float>?, _ count: Int) throws {
    let weight = try weight(index)
    try unsafe copy(
      ConstantFolder(graph).fold(weight.target.source), to: target, count,
      "weight '\(weight.target.name)'")
  }

  /// Writes scales and zero points to where the plugin wants them.
  func readScales(
    _ index: Int, to target: UnsafeMutablePointer<Float>?,
    _ zeros: UnsafeMutablePointer<Int8>?, _ count: Int
  ) throws {
    let weight = try weight(index)
    let name = weight.target.name
    let parts = try ConstantFolder(graph).fold(weight.target.scales)
    try unsafe copy(parts[0], to: target, count, "the scales of '\(name)'")
    guard parts.count > 1 else { return }
    guard let zeros = unsafe zeros else {
      throw PassError.misuse("there is no room for the zero points of '\(name)'")
    }
    unsafe parts[1].withElements(as: Int8.self) { source in
      if let start = source.baseAddress {
        unsafe zeros.update(from: start, count: source.count)
      }
    }
  }

  /// Writes a tensor in single precision.
  func copy(
    _ tensor: Tensor, to target: UnsafeMutablePointer<Float>?, _ count: Int, _ what: String
  ) throws {
    guard let target = unsafe target else {
      throw PassError.misuse("there is no room for \(what)")
    }
    guard count == tensor.count else {
      throw PassError.misuse("\(what) has \(tensor.count) elements, and there is room for \(count)")
    }
    unsafe tensor.converted(to: .single).withElements(as: Float.self) { source in
      if let start = source.baseAddress {
        unsafe target.update(from: start, count: source.count)
      }
    }
  }

  /// A tensor of the checkpoint.
  func tensor(named name: String) throws -> Tensor {
    guard !name.isEmpty else {
      throw PassError.misuse("the plugin asks for a tensor without a name")
    }
    let tensor = try graph.parameters.tensor(named: name)
    guard tensor.shape.count <= 8, tensor.elementType.isFloat else {
      throw PassError.misuse(
        "tensor '\(name)' of \(tensor.elementType)\(tensor.shape) cannot be read as real numbers")
    }
    return tensor
  }

  /// What was measured of the input of the layer that reads a weight.
  func weightStatistics(_ index: Int) throws -> irc_statistics {
    let weight = try weight(index)
    let statistics = try measured(index, &weightMeasurements)
    forgetNumbers()
    var record = unsafe irc_statistics()
    unsafe record.struct_size = unsafe UInt32(MemoryLayout<irc_statistics>.size)
    unsafe record.width = weight.target.shape[1]
    unsafe record.rows = statistics.rows
    unsafe record.mean = lend(statistics.mean)
    unsafe record.mean_square = lend(statistics.meanSquare)
    unsafe record.absolute_maximum = lend(statistics.absoluteMaximum.map(Double.init))
    if let moment = statistics.secondMoment {
      unsafe record.blocks = 1
      unsafe record.second_moment = lend(moment.array(of: Double.self))
    }
    return unsafe record
  }

  /// Attaches codes to a weight in the place of its rounding to nearest.
  func attach(
    _ codes: UnsafePointer<Int8>?, _ codeCount: Int, _ scales: UnsafePointer<Float>?,
    _ zeros: UnsafePointer<Int8>?, _ scaleCount: Int, to index: Int
  ) throws {
    let weight = try weight(index)
    let target = weight.target
    guard !rounded.contains(index) else {
      throw PassError.misuse("'\(target.name)' has been given codes already")
    }
    guard let codes = unsafe codes else {
      throw PassError.misuse("no codes were given for '\(target.name)'")
    }
    guard codeCount == target.shape[0] * target.shape[1] else {
      throw PassError.misuse(
        "'\(target.name)' has \(target.shape[0]) × \(target.shape[1]) weights, and \(codeCount) codes were given"
      )
    }
    let tensor = unsafe Tensor(
      target.shape, Array(UnsafeBufferPointer(start: codes, count: codeCount)))
    let set: ScaleSet
    if let scales = unsafe scales {
      set = try unsafe scaleSet(scales, zeros, scaleCount, for: weight)
    } else {
      guard scaleCount == 0, unsafe zeros == nil else {
        throw PassError.misuse("'\(target.name)' was given zero points without scales")
      }
      let parts = try ConstantFolder(graph).fold(target.scales)
      set = ScaleSet(scales: parts[0], zeros: parts.count > 1 ? parts[1] : nil)
    }
    try target.spec.check(tensor, of: target.name)
    let value = try target.attach(codes: tensor, set, to: &graph, in: context)
    for layer in weight.layers { graph.setOperand(1, of: layer, to: value) }
    rounded.insert(index)
  }

  /// Scales and zero points that the plugin gives.
  private func scaleSet(
    _ scales: UnsafePointer<Float>, _ zeros: UnsafePointer<Int8>?, _ count: Int,
    for weight: CPassWeight
  ) throws -> ScaleSet {
    let (target, shape) = (weight.target, weight.scaleShape)
    guard count == shape[0] * shape[1] else {
      throw PassError.misuse(
        "'\(target.name)' has \(shape[0]) × \(shape[1]) scales, and \(count) were given")
    }
    guard unsafe (zeros != nil) == target.spec.hasZeroPoints else {
      throw PassError.misuse(
        target.spec.hasZeroPoints
          ? "'\(target.name)' has zero points, and none were given"
          : "'\(target.name)' has no zero points, and some were given")
    }
    let tensor = unsafe Tensor(shape, Array(UnsafeBufferPointer(start: scales, count: count)))
    var zeroPoints: Tensor?
    if let zeros = unsafe zeros {
      let points = unsafe Tensor(shape, Array(UnsafeBufferPointer(start: zeros, count: count)))
      try target.spec.check(points, of: target.name, "zero point")
      zeroPoints = points
    }
    try target.spec.check(scales: tensor, of: target.name)
    return ScaleSet(scales: tensor, zeros: zeroPoints)
  }
}
