import Foundation

/// How much memory of its own lowering takes for models of more and more layers, and how long.
///
/// A compiler that holds a few tensors at a time takes as much for many layers as for few.
func measureDepth(_ arguments: Arguments) throws {
  print("\(arguments.pipeline), \(arguments.tokens) tokens of calibration")
  print("")
  print("layers |   weights |      wall | anonymous | high-water")
  print("------ | --------- | --------- | --------- | ----------")
  var costs: [RunCost] = []
  for layers in [1, 2, 4, 8] {
    let model = SyntheticLlama(layers: layers)
    try model.write(to: arguments.folder + "/synthetic-llama")
    let cost = try lower(with: arguments.pipeline, arguments)
    costs.append(cost)
    let cells: [(String, Int)] = [
      (String(layers), 6), (number(Double(model.byteCount) / 1e6, 0) + " MB", 9),
      (number(cost.seconds, 1) + " s", 9),
      (number(Double(cost.anonymousBytes) / 1e6, 0) + " MB", 9),
      (number(Double(cost.residentBytes) / 1e6, 0) + " MB", 10),
    ]
    print(cells.map { padded($0, $1) }.joined(separator: " | "))
    fflush(nil)
  }
  let growth = Double(costs[3].anonymousBytes) / Double(costs[1].anonymousBytes)
  print("")
  print("8 layers take \(number(growth, 2)) times as much memory as 2")
  print("at most 1.1 times: \(growth <= 1.1 ? "met" : "MISSED")")
  if arguments.isStrict, growth > 1.1 { exit(1) }
}
