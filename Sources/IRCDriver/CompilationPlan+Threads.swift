import IRCCodegen
import IRCPassKit
import IRCPassManager
import IRCPipeline
import IRCSupport

extension CompilationPlan {
  /// Complains of more threads than `emit-c` is told to make room for, before anything is lowered.
  ///
  /// - Throws: `Diagnostic` `library.threads`.
  func checkRoom(for threads: Int) throws {
    // What libraries are compiled from is this exporter's; options of others may mean anything.
    guard let exporter = passes.last(where: { $0.info.name == "emit-c" })?.pass else { return }
    func text(_ key: String) -> String? { exporter.options.first { $0.key == key }?.text }
    guard let room = text("most_threads").flatMap(Int.init) else { return }
    try ThreadModel.checkRoom(
      for: threads, of: text("threads") == ThreadModel.none.rawValue ? 1 : room)
  }
}

extension ThreadModel {
  /// - Throws: `Diagnostic` `library.threads` if a library with room for `room` threads is asked for more.
  static func checkRoom(for threads: Int, of room: Int) throws {
    guard threads > room else { return }
    throw Diagnostic(
      "library.threads",
      "the library has room for \(room) thread\(room == 1 ? "" : "s"), not for \(threads)",
      hint:
        "give fewer --threads, or make room with --set passes.emit-c.most_threads=\(min(threads, 256)), and 'threads' other than none"
    )
  }
}
