/// The kernels of an instruction set, beside the portable ones: the one place that says which files they are, how C asks for their
/// table, and which targets want them.
///
/// Files of a set are called `kernels_SET.h`, `kernels_SET_….h` and `kernels_SET_….c`. `kernels_dispatch.c` names a set's functions
/// only where `IRC_WITH_SET` is not 0; so a set whose files are left out is switched off there.
enum KernelSet: String, CaseIterable {
  case avx2, avx512, amx, neon

  /// The set that a file belongs to; nil for what every library has.
  init?(file: String) {
    let words = file.split { "_.".contains($0) }
    guard words.count > 2, words[0] == "kernels" else { return nil }
    self.init(rawValue: String(words[1]))
  }

  /// The macro that switches the set.
  var macro: String { "IRC_WITH_\(rawValue.uppercased())" }

  /// The functions that give its tables, the better one first, or NULL where the processor lacks something.
  var tables: [String] {
    switch self {
    case .avx2: ["kernels_avx2"]
    case .avx512: ["kernels_avx512_vnni"]
    case .amx: ["kernels_amx"]
    case .neon: ["kernels_neon_i8mm", "kernels_neon_dotprod"]
    }
  }
}

extension Target {
  /// The sets that a library for the target has.
  var kernelSets: [KernelSet] {
    switch self {
    case .native: KernelSet.allCases
    case .portable: []
    case .avx2: [.avx2]
    case .avx512VNNI: [.avx512]
    case .neon: [.neon]
    }
  }
}

/// The kernels of one library.
struct KernelChoice {
  let target: Target
  /// The files to write, in order.
  let files: [(name: String, text: String)]
  /// The sets among them, beside the portable one.
  let sets: [KernelSet]
  /// Macros that tell the kernels which of their files the program does without. They stand before those that ask, and not before others,
  /// which so stay the same whatever a program does without.
  private let omissions: [String]
  /// The macro that says codes of how many bits there are. It stands before the kernels of the sets, whose compilation takes long, and not
  /// before others, which so stay the same when formats change.
  private let widths: String

  /// Chooses among `files`, leaving out what the target or the program does without.
  init(_ target: Target, among files: [(name: String, text: String)], for program: Program) {
    self.target = target
    let wanted = target.kernelSets
    let present = Set(files.compactMap { KernelSet(file: $0.name) })
    sets = wanted.filter(present.contains)
    let hasVectors = sets.contains { $0 == .avx2 || $0 == .avx512 }
    self.files = files.filter { file in
      let stem = file.name.split(separator: ".")[0]
      if stem.hasSuffix("_hadamard") && !program.needsHadamardKernel { return false }
      if stem.hasSuffix("_sequence") && !program.needsSequenceKernels { return false }
      if !program.hasThreads
        && ["kernels_threads", "kernels_share"].contains(where: stem.hasPrefix)
      {
        return false
      }
      // What the sets for x86 have in common.
      if stem.hasPrefix("kernels_vector_") { return hasVectors }
      return KernelSet(file: file.name).map(wanted.contains) ?? true
    }
    omissions =
      (program.needsSequenceKernels ? [] : ["IRC_WITHOUT_SEQUENCES"])
      + (program.needsHadamardKernel ? [] : ["IRC_WITHOUT_HADAMARD"])
    widths = "#define IRC_BITS 0x" + String(program.weights.bitWidths, radix: 16)
  }

  /// The functions of which the first that gives a table gives the one to run with; NULL, all of them, where the processor lacks what
  /// the library was made for.
  var tables: [String] {
    if target == .native { return ["kernels_best"] }
    return sets.last?.tables ?? ["kernels_portable"]
  }

  /// What is in the library, in words.
  var summary: String {
    let names = (["portable"] + sets.map(\.rawValue)).joined(separator: ", ")
    return target == .native && !sets.isEmpty
      ? "\(names); the processor decides when a context is made" : names
  }

  /// What stands before the text of a C file of the kernels.
  func definitions(of file: String, symbol: String, threads: ThreadModel) -> String {
    guard file.hasSuffix(".c") else { return "" }
    let text = files.first { $0.name == file }?.text ?? ""
    let asked = omissions.filter { text.contains($0) }
    var lines = ["#define IRC_PREFIX \(symbol)"] + asked.map { "#define \($0) 1" }
    if KernelSet(file: file) != nil { lines.append(widths) }
    if file == "kernels_dispatch.c" {
      lines += KernelSet.allCases.filter { !sets.contains($0) }.map { "#define \($0.macro) 0" }
    }
    if file == "kernels_threads.c" && threads == .openmp { lines.append("#define IRC_OPENMP 1") }
    return lines.joined(separator: "\n") + "\n"
  }
}
