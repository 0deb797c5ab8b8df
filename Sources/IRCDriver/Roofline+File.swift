package import IRCCodegen
import IRCSupport

extension Roofline {
  /// Reads `read_gbps`, `cache_gbps`, `int8.gops` and `float.gops` of a file, or of its `machine`, as `irc bench --json` writes
  /// them for one thread.
  ///
  /// - Throws: `Diagnostic` when the file is no such JSON, with how one is made.
  package init(reading path: String) throws {
    do {
      try self.init(path)
    } catch var problem as Diagnostic {
      problem.hint = problem.hint ?? Self.recipe
      throw problem
    }
  }

  /// How a file with rates is made.
  private static let recipe =
    "'irc bench --suite kernels --threads 1 --no-peers --json > FILE' measures them on this machine"

  private init(_ path: String) throws {
    let file = try JSONValue(reading: path)
    let machine = try file.optional("machine") ?? file
    func rate(_ value: JSONValue) throws -> Double {
      let number = try value.double()
      guard number.isFinite, number > 0 else {
        throw value.diagnostic("inspect.roofline", "expected a number above 0, found \(number)")
      }
      return number * 1e9
    }
    if let threads = try machine.optional("threads"), try threads.int() != 1 {
      throw threads.diagnostic(
        "inspect.roofline", "times are predicted for one thread, and these rates are of several",
        hint: Self.recipe)
    }
    let name = try machine.optional("cpu")?.string()
    self.init(
      readRate: try rate(machine["read_gbps"]),
      cacheRate: try rate(machine["cache_gbps"]),
      integerRate: try rate(machine["int8"]["gops"]),
      realRate: try rate(machine["float"]["gops"]),
      source: name.map { "\(path), \($0)" } ?? path)
  }

  /// Keys are documented in `docs/commands.md`.
  var json: JSON {
    .object([
      ("source", .string(source)), ("read_gbps", .real(readRate * 1e-9)),
      ("cache_gbps", .real(cacheRate * 1e-9)), ("int8_gops", .real(integerRate * 1e-9)),
      ("float_gops", .real(realRate * 1e-9)),
    ])
  }
}
