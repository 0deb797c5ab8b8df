import Foundation
import IRCTestSupport
import Testing

/// `make results` on a repository of its own, where the command is `echo`.
@Suite("Pages of results")
struct ResultsTests {
  private func results(_ pages: [String: String], shared: String) throws -> (
    folder: TemporaryFolder, outcome: Program.Outcome
  ) {
    let folder = try TemporaryFolder()
    let script = try String(
      contentsOfFile: Workbench.repository + "/.ci/results", encoding: .utf8)
    try folder.write(".ci/results", script)
    for (name, text) in pages { try folder.write("docs/results/\(name)", text) }
    try folder.write("shared/data/there.txt", "x")
    let outcome = try Program.run(
      [folder.file(".ci/results")], executable: "/bin/sh",
      environment: ["IRC_SHARED": folder.file(shared)])
    return (folder, outcome)
  }

  private func page(_ name: String, in folder: TemporaryFolder) throws -> String {
    try String(contentsOfFile: folder.file("docs/results/\(name)"), encoding: .utf8)
  }

  private static let text = """
    # A page

    ```console
    $ echo one \\
        'two  three' <$IRC_SHARED/data/there.txt
    old output
    ```

    ```sh
    echo stays
    ```

    ```console
    $ echo $IRC_SHARED/data/none.txt
    kept
    ```
    The end.

    """

  @Test("Output is replaced, blocks without their inputs and everything else stay")
  func replacing() throws {
    let (folder, outcome) = try results(["a.md": Self.text], shared: "shared")
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(
      try page("a.md", in: folder) == Self.text.replacing("old output", with: "one two  three"))
    #expect(outcome.errors.contains("skipped: docs/results/a.md: there is no "))
    #expect(outcome.errors.contains("/shared/data/none.txt: echo"))
    let (other, nothing) = try results(["a.md": Self.text], shared: "elsewhere")
    #expect(nothing.code == 0)
    #expect(try page("a.md", in: other) == Self.text)
    #expect(nothing.errors.components(separatedBy: "skipped: ").count == 3)
  }

  @Test("A page whose command fails stays as it is, and others are made")
  func failing() throws {
    let bad = "```console\n$ echo first\nold\n```\n```console\n$ echo second; false\nold\n```\n"
    let open = "```console\n$ echo first\nold\n"
    let good = "```console\n$ echo new\n```\n"
    let (folder, outcome) = try results(
      ["a.md": bad, "b.md": open, "c.md": good], shared: "shared")
    #expect(outcome.code == 1)
    #expect(try page("a.md", in: folder) == bad)
    #expect(try page("b.md", in: folder) == open)
    #expect(try page("c.md", in: folder) == "```console\n$ echo new\nnew\n```\n")
    #expect(outcome.errors.contains("failed: docs/results/a.md stays as it is"))
    #expect(outcome.errors.contains("docs/results/b.md: a block has no end"))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.file("docs/results"))
    #expect(names.sorted() == ["a.md", "b.md", "c.md"])
  }
}
