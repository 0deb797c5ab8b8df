import IRCPassKit
package import IRCPassManager
import IRCSupport

/// Loads the plugins that files and arguments name, collecting what is wrong at the place that names them.
struct PluginLoader {
  /// The passes that there are, with those of the plugins so far.
  private(set) var registry: PassRegistry
  private(set) var problems: [Diagnostic] = []

  init(_ registry: PassRegistry) {
    self.registry = registry
  }

  /// Loads the plugins of a list of paths, each relative to the file that it is written in.
  mutating func load(_ list: OptionValue) {
    guard case .sequence(let items) = list.content else { return }
    for item in items {
      guard let path = item.text else { continue }
      do {
        registry = try registry.adding(PluginHost.load(resolve(path, written: item.span)))
      } catch let problem as Diagnostic {
        problems.append(
          item.span.error(problem.id, problem.message, hint: problem.hint, notes: problem.notes))
      } catch {
        problems.append(item.span.error("plugin.unloadable", "\(error)"))
      }
    }
  }
}

extension PassRegistry {
  /// The registry with the plugins that the command line names.
  ///
  /// - Parameter paths: the arguments of `--plugin`; places in them are called by it.
  /// - Throws: `DiagnosticList` with what is wrong with each of them.
  package func loading(_ paths: [String]) throws -> PassRegistry {
    let lines = paths.map { $0.replacing("\r\n", with: " ").replacing("\n", with: " ") }
    let file = TextFile(path: "--plugin", text: lines.joined(separator: "\n"))
    var loader = PluginLoader(self)
    for (index, path) in paths.enumerated() {
      let span = SourceSpan(file: file, line: index + 1, column: 1, length: path.count)
      loader.load(
        OptionValue(.sequence([OptionValue(.scalar(path), span: span)]), span: span))
    }
    if !loader.problems.isEmpty { throw DiagnosticList(loader.problems) }
    return loader.registry
  }
}
