extension PluginTemplate {
  /// A pass that is short, exact and shows what most passes need.
  var pass: String {
    """
    public import IRCPassKit

    /// What this plugin adds to the compiler.
    let plugins: [any Plugin.Type] = [\(name.type).self]

    /// Removes pairs of transposes that undo each other.
    ///
    ///     before: %t = transpose %x    %y = transpose %t    %z = op %y
    ///     after:  %z = op %x
    ///
    /// Exact: no number changes. Change it into what you want to do; the compiler checks after each run that the graph is
    /// well-formed and, as long as `preservesFunction` is true, that it computes what it did.
    public struct \(name.type): Pass {
      public static let info = PassInfo(
        name: "\(name.kebab)", summary: "Remove transposes that undo each other.",
        preservesFunction: true, statistics: [removed], remarks: [kept])

      static let removed = Statistic("removed", "Pairs of transposes removed.")
      static let kept = RemarkKind("kept", .missed, "A pair of transposes was left alone.")

      @PassOption("Pairs to remove at most.", in: 0...1_000_000)
      public var limit = 1_000_000

      public init() {}

      public func run(on graph: inout Graph, in context: PassContext) throws {
        var left = limit
        for (outer, second) in graph.operations(of: Transpose.self) {
          let inner = graph.producer(of: outer.operands[0])
          guard let first = inner.op as? Transpose,
            second.order.map({ first.order[$0] }) == Array(first.order.indices)
          else { continue }
          if left == 0 {
            context.remark(
              Self.kept, at: outer.location, "the limit of \\(limit) pairs is reached",
              hint: "raise 'limit'")
            continue
          }
          graph.replaceUses(of: outer.result, with: inner.operands[0])
          context.count(Self.removed)
          left -= 1
        }
      }
    }

    """
  }

  private static let swiftLifetime = """
    A plugin belongs to the build of irc that it was built with; after an update of irc, build it again. Passes, their
    declarations and what they may ask for are described in the pages "Writing a plugin" and "Writing a pass" of irc.
    """

  /// How to go on.
  var readme: String {
    """
    # \(name.kebab)

    A plugin of irc: one pass, in `\(sourceName)`.

    ```sh
    irc plugin build .                                            # writes build/\(folderName).so
    sh test.sh                                                    # builds, and compares graphs before and after
    irc passes \(name.kebab) --plugin build/\(folderName).so
    ```

    In a model file or a pipeline, with the path from that file:

    ```yaml
    plugins: [\(folderName)/build/\(folderName).so]
    pipeline:
      - \(name.kebab): {\(language == .swift ? "limit: 10" : "sites: [activation]")}
      - include: rtn-w8a8
    ```

    \(language == .swift ? Self.swiftLifetime : Self.cLifetime)

    """
  }

  /// The test: graphs as text, before and after.
  var script: String {
    """
    #!/bin/sh
    # Builds the plugin, runs its pass over tests/before.irc and compares what comes out with tests/after.irc.
    set -eu
    cd "$(dirname "$0")"
    irc=${IRC:-irc}
    "$irc" plugin build . -o build/\(name.kebab).so
    "$irc" opt tests/before.irc --plugin build/\(name.kebab).so --passes \(name.kebab) >build/after.irc
    diff -u tests/after.irc build/after.irc

    """
  }

  static let before = """
    // Two transposes that undo each other, and one that stays.
    irc.graph @"before" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [16, 8], values = random(1, 0.5)} : f32[16, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = transpose %2 {order = [1, 0]} : f32[8, tokens]
      %4 = transpose %3 {order = [1, 0]} : f32[tokens, 8]
      %5 = generated {shape = [8, 16], values = random(2, 0.5)} : f32[8, 16]
      %6 = transpose %5 {order = [1, 0]} : f32[16, 8]
      %7 = linear %4, %6 : f32[tokens, 16]
      output "logits" = %7
    }

    """

  var after: String {
    """
    irc.graph @"before" {stage = "float"} {
      %0 = input "ids" : i32[tokens]
      %1 = generated {shape = [16, 8], values = random(1, 0.5)} : f32[16, 8]
      %2 = embedding %0, %1 : f32[tokens, 8]
      %3 = generated {shape = [8, 16], values = random(2, 0.5)} : f32[8, 16]
      %4 = transpose %3 {order = [1, 0]} : f32[16, 8]
      %5 = linear %2, %4 : f32[tokens, 16]
      output "logits" = %5
    }

    """
  }
}
