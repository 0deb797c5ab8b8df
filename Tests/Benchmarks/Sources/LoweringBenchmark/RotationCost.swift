import COpenBLAS
import Foundation

/// What rotations add to lowering: the wall time beyond that of the same pipeline without them, in relation to what the machine does at best.
///
/// A dense rotation is measured against the machine's own sgemm on all cores, a Hadamard rotation against copying the weights in
/// memory. All are taken in turn, and the fastest of several counts.
func measureRotation(of model: SyntheticLlama, _ arguments: Arguments) throws {
  let pipelines = FileManager.default.currentDirectoryPath + "/Tests/Benchmarks/pipelines/"
  let names = ["rtn-w8a8", pipelines + "rotate-dense.yaml", pipelines + "rotate-hadamard.yaml"]
  var best = [RunCost?](repeating: nil, count: names.count)
  var product = Double.infinity
  var copy = Double.infinity
  for _ in 0..<arguments.runs {
    product = min(product, secondsOfProduct(model.rotationOperations))
    copy = min(copy, secondsOfCopy(model.byteCount))
    for (index, name) in names.enumerated() {
      let cost = try lower(with: name, arguments)
      if cost.seconds < best[index]?.seconds ?? .infinity { best[index] = cost }
    }
  }
  let costs = best.compactMap { $0 }
  let cores = ProcessInfo.processInfo.activeProcessorCount
  print(
    "\(number(Double(model.byteCount) / 1e9, 3)) GB of f32 weights, \(arguments.layers) layers, "
      + "\(cores) cores; the fastest of \(arguments.runs)")
  print("")
  for (name, cost) in zip(["no rotation", "dense", "Hadamard"], costs) {
    print(
      "\(name): \(number(cost.seconds, 2)) s, \(number(Double(cost.anonymousBytes) / 1e6, 0)) MB of its own"
    )
  }
  let dense = costs[1].seconds - costs[0].seconds
  let hadamard = costs[2].seconds - costs[0].seconds
  let work = model.rotationOperations / 1e9
  print("")
  print(
    "dense rotations add \(number(dense, 2)) s: \(number(work / dense, 1)) GFLOP/s, and sgemm reaches "
      + "\(number(work / product, 1)): \(number(100 * product / dense, 0)) %")
  print(
    "Hadamard rotations add \(number(hadamard, 2)) s, and copying the weights takes \(number(copy, 2)) s: "
      + "\(number(hadamard / copy, 1)) times")
  print("dense at least 40 % of sgemm: \(product / dense >= 0.4 ? "met" : "MISSED")")
  if arguments.isStrict, product / dense < 0.4 { exit(1) }
}

/// Time that sgemm on all cores needs for so many operations, from one square product of 2048.
private func secondsOfProduct(_ operations: Double) -> Double {
  let size = 2048
  let a = [Float](repeating: 0.5, count: size * size)
  var c = [Float](repeating: 0, count: size * size)
  let start = ContinuousClock.now
  unsafe c.withUnsafeMutableBufferPointer { c in
    unsafe a.withUnsafeBufferPointer { a in
      unsafe cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, Int32(size), Int32(size), Int32(size), 1,
        a.baseAddress, Int32(size), a.baseAddress, Int32(size), 0, c.baseAddress, Int32(size))
    }
  }
  return seconds(since: start) * operations / (2 * pow(Double(size), 3))
}

/// Time of copying so many bytes from memory to memory, by one thread.
private func secondsOfCopy(_ bytes: Int) -> Double {
  let count = 64 << 20
  let source = [UInt8](repeating: 1, count: count)
  var target = [UInt8](repeating: 0, count: count)
  let start = ContinuousClock.now
  unsafe target.withUnsafeMutableBytes { target in
    unsafe source.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
  }
  return seconds(since: start) * Double(bytes) / Double(count)
}
