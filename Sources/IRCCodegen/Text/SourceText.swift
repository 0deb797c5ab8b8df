/// The C file of a model.
struct SourceText {
  let names: ArtifactNames
  let program: Program
  let options: CEmitter.Options
  /// Tokens of a context by default; nil if there is no limit.
  let contextLength: Int?
  let kernels: KernelChoice
  /// Bytes of the weights file between its header and its checksum.
  let bodyBytes: Int

  /// Room for the context's own fields.
  var headBytes: Int { program.hasThreads ? 192 : 128 }
  /// Room for the threads' team: IRC_TEAM_BYTES and IRC_WORKER_BYTES of `kernels_threads.h`, as the text asserts.
  var teamBytes: Int { program.hasThreads ? 640 + (options.threadRoom - 1) * 64 : 0 }
  /// The C files of the kernels.
  var kernelSources: [String] { kernels.files.map(\.name).filter { $0.hasSuffix(".c") } }

  /// The text; `fingerprint` ties it to its weights.
  func text(fingerprint: UInt64) -> String {
    let runtime = RuntimeText(
      names: names, program: program, options: options, contextLength: contextLength,
      kernels: kernels, bodyBytes: bodyBytes, fingerprint: fingerprint, headBytes: headBytes,
      teamBytes: teamBytes)
    var lines = preamble + runtime.declarations
    for helper in program.helpers.sorted() { lines += [helper.text, ""] }
    if usesFloats { lines += [runtime.floatsAt, ""] }
    lines += LayerText(program: program, symbol: names.symbol).lines
    lines += ["", runtime.interface]
    return lines.joined(separator: "\n") + "\n"
  }

  private var usesFloats: Bool {
    program.functions.contains { function in
      function.steps.contains { step in
        let calls = step.calls.map { $0.text(for: .all, program.buffers) }
        return (step.locals + calls).contains { $0.contains("floats_at(") }
      }
    }
  }

  /// True if a table has values that are not finite.
  private var usesMath: Bool {
    program.constants.contains { constant in
      constant.definition.contains { $0.contains("NAN") || $0.contains("INFINITY") }
    }
  }

  private var preamble: [String] {
    let command =
      ["cc"] + options.target.compilerFlags(options.threads) + ["-c", names.source] + kernelSources
    var lines = [
      "// The computation of \(commentText(names.stem)): one function for each layer, in the order in which they run.",
      "//",
      "// Compile with:",
      "//   \(command.joined(separator: " "))",
      "// and link with \((options.threads.compilerFlags + ["-lm"]).joined(separator: " ")). Shapes are (rows, columns); "
        + "`tokens` is the number of rows of a call.",
      "//",
    ]
    lines += comment("Kernels: \(kernels.summary).", indent: "") + ["//"]
    lines += planTable
    lines += [
      "#define _POSIX_C_SOURCE 200809L", "#define IRC_PREFIX \(names.symbol)",
      "#include \"\(names.header)\"", "", "#include <fcntl.h>",
    ]
    if usesMath { lines.append("#include <math.h>") }
    lines += [
      "#include <string.h>",
      "#include <sys/mman.h>", "#include <sys/stat.h>", "#include <unistd.h>", "",
      program.hasThreads ? "#include \"kernels_threads.h\"" : "#include \"irc_kernels.h\"", "",
    ]
    for table in program.tables {
      lines.append("static const double \(table.name)[\(table.values.count)] = {")
      for start in stride(from: 0, to: table.values.count, by: 4) {
        let row = table.values[start..<min(start + 4, table.values.count)].map(doubleLiteral)
        lines.append("  \(row.joined(separator: ", ")),")
      }
      lines += ["};", ""]
    }
    for constant in program.constants { lines += constant.definition + [""] }
    return lines
  }

  /// The memory plan as a comment.
  private var planTable: [String] {
    func column(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    var lines = [
      "// Values between operations lie in an arena of \(program.arenaBytes) bytes for \(options.chunk) tokens. A buffer is free",
      "// again after the last step that reads it. What only a loop over tokens needs has one row\(program.hasThreads ? " for each thread" : ""), and some",
      "// results are written over values that are read for the last time.",
      "//", "//     offset      bytes  steps        buffer",
    ]
    for buffer in program.buffers {
      let life = "\(buffer.life.lowerBound)-\(buffer.life.upperBound)"
      let bytes = buffer.rowCount(tokens: options.chunk) * buffer.stride * buffer.type.byteCount
      lines.append(
        "//  \(column("\(buffer.offset)", 9)) \(column("\(bytes)", 10))  "
          + life.padding(13) + buffer.name
          + (buffer.replaced.map { ", over \(program.buffers[$0].name)" } ?? ""))
    }
    return lines
  }
}

extension String {
  /// The text followed by spaces up to `width`.
  fileprivate func padding(_ width: Int) -> String {
    self + String(repeating: " ", count: Swift.max(0, width - count))
  }
}
