import Foundation
import IRCSupport

extension PluginBuilder {
  /// What C and C++ are compiled with: warnings are shown, and sums are the same on every machine.
  private static let flags = ["-O2", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra"]

  /// Compiles C and C++ into `plugin.so` in a scratch folder.
  ///
  /// - Returns: what the compilers said.
  func compileC(
    _ c: [String], _ cPlusPlus: [String]?, _ kit: PluginKit, in scratch: String
  ) throws -> String {
    var said = ""
    var objects: [String] = []
    for (index, file) in sources.files.enumerated() {
      let isC = file.hasSuffix(".c")
      let command = isC ? c : cPlusPlus ?? c
      let object = "\(index).o"
      said += try run(
        command[0],
        command.dropFirst() + [isC ? "-std=c11" : "-std=c++17"] + Self.flags
          + ["-I", kit.headerFolder, "-c", "-o", object, URL(fileURLWithPath: file).path],
        in: scratch)
      objects.append(object)
    }
    let linker = cPlusPlus ?? c
    said += try run(
      linker[0], linker.dropFirst() + ["-shared", "-o", "plugin.so"] + objects + ["-lm"],
      in: scratch)
    return said
  }

  /// Compiles the crate of Rust into `plugin.so` in a scratch folder.
  ///
  /// - Returns: what the compiler said.
  func compileRust(_ rustc: String, in scratch: String) throws -> String {
    guard let root = sources.files.first(where: { ($0 as NSString).lastPathComponent == "lib.rs" })
    else {
      throw Diagnostic(
        "plugin.no-sources", "there is no file 'lib.rs' among the Rust files",
        hint: "name the crate's root so")
    }
    // A panic must not unwind into irc; an abort is told as a crash of the plugin.
    return try run(
      rustc,
      [
        "--edition", "2021", "--crate-type", "cdylib", "--crate-name",
        name.kebab.replacing("-", with: "_"), "-C", "opt-level=2", "-C", "panic=abort", "-o",
        "plugin.so", URL(fileURLWithPath: root).path,
      ], in: scratch)
  }
}
