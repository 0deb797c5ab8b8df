import Foundation

// Lowers a synthetic checkpoint several times and prints what that cost; README.md says what the figures mean.

/// Least speed, in bytes of f32 weights a second, and most memory that the project allows itself.
let leastSpeed = 1e9
let mostMemory = 300e6

do {
  let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
  try FileManager.default.createDirectory(
    atPath: arguments.folder, withIntermediateDirectories: true)
  if arguments.measuresDepth {
    try measureDepth(arguments)
    exit(0)
  }
  let model = SyntheticLlama(layers: arguments.layers)
  let source = arguments.folder + "/synthetic-llama"
  try model.write(to: source)
  if arguments.measuresRotation {
    try measureRotation(of: model, arguments)
    exit(0)
  }
  let cores = ProcessInfo.processInfo.activeProcessorCount
  print(
    "\(number(Double(model.byteCount) / 1e9, 3)) GB of f32 weights, \(arguments.layers) layers; "
      + "\(arguments.pipeline); \(cores) cores")
  print("")
  print(
    "   run |    wall |     cpu |  GB/s | anonymous | high-water |   floor |    copy | floor/wall")
  print(
    "------ | ------- | ------- | ----- | --------- | ---------- | ------- | ------- | ----------")

  var costs: [RunCost] = []
  var floors: [Floor] = []
  for run in 0...arguments.runs {
    let floor = try measureFloor(
      of: source + "/model.safetensors", scratch: arguments.folder + "/scratch")
    let cost = try lower(with: arguments.pipeline, arguments)
    row(run == 0 ? "warm" : String(run), cost, floor)
    if run == 0 { continue }
    costs.append(cost)
    floors.append(floor)
  }

  let middle = RunCost(
    seconds: median(costs.map(\.seconds)), processorSeconds: median(costs.map(\.processorSeconds)),
    anonymousBytes: costs.map(\.anonymousBytes).max() ?? 0,
    residentBytes: costs.map(\.residentBytes).max() ?? 0,
    samples: costs.map(\.samples).min() ?? 0)
  row(
    "median", middle,
    Floor(
      copySeconds: median(floors.map(\.copySeconds)), moveSeconds: median(floors.map(\.moveSeconds))
    ))
  print("")
  print(
    "Memory in the last line is the highest of all runs, from at least \(middle.samples) looks at each."
  )

  let isFast = Double(model.byteCount) / middle.seconds >= leastSpeed
  let isSmall = Double(middle.anonymousBytes) <= mostMemory
  print("at least \(number(leastSpeed / 1e9, 1)) GB/s: \(isFast ? "met" : "MISSED")")
  print("at most \(number(mostMemory / 1e6, 0)) MB of its own: \(isSmall ? "met" : "MISSED")")
  if arguments.isStrict, !(isFast && isSmall) { exit(1) }

  func row(_ name: String, _ cost: RunCost, _ floor: Floor) {
    let cells: [(String, Int)] = [
      (name, 6), (number(cost.seconds, 2) + " s", 7), (number(cost.processorSeconds, 2) + " s", 7),
      (number(Double(model.byteCount) / 1e9 / cost.seconds, 2), 5),
      (number(Double(cost.anonymousBytes) / 1e6, 0) + " MB", 9),
      (number(Double(cost.residentBytes) / 1e6, 0) + " MB", 10),
      (number(floor.moveSeconds, 2) + " s", 7), (number(floor.copySeconds, 2) + " s", 7),
      (number(floor.moveSeconds / cost.seconds * 100, 0) + " %", 10),
    ]
    print(cells.map { padded($0, $1) }.joined(separator: " | "))
    // The table grows while it is watched, even through a pipe.
    fflush(nil)
  }
} catch {
  FileHandle.standardError.write(Data("lowering-benchmark: \(error)\n".utf8))
  exit(1)
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

func number(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}

func padded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
