import Foundation
import IRCTestSupport
import Testing

/// What a page shows is what is compiled and tested.
@Suite("Code in the documentation")
struct QuotedCodeTests {
  @Test(
    "A page quotes the whole file",
    arguments: [
      ("docs/writing-a-pass.md", "swift", "Tests/DocumentationTests/FuseLinears.swift"),
      ("docs/writing-a-pass.md", "swift", "Tests/DocumentationTests/FuseLinearsTests.swift"),
      ("docs/writing-a-plugin.md", "swift", "examples/own-compiler/Sources/OwnCompiler.swift"),
      ("docs/writing-a-plugin.md", "swift", "examples/plugins/weight-change/WeightChange.swift"),
      ("docs/getting-started.md", "c", "examples/c-program/generate.c"),
    ])
  func quotesWhole(page: String, language: String, file: String) throws {
    let code = try text(file)
    #expect(!code.isEmpty)
    #expect(
      try text(page).contains("\n```\(language)\n\(code)```\n"), "\(page) is behind \(file)")
  }

  @Test(
    "A link to a file of the repository leads somewhere",
    arguments: [
      "README.md", "docs/getting-started.md", "docs/writing-a-pass.md", "CHANGELOG.md",
      "docs/writing-a-plugin.md", "docs/commands.md", "docs/build-systems.md",
      "examples/novels-mamba/README.md",
    ])
  func linksLead(page: String) throws {
    let root = try #require(Shared.repository)
    let folder = URL(fileURLWithPath: "\(root)/\(page)").deletingLastPathComponent()
    for link in try text(page).matches(of: #/\]\(([^)#:]+)\)/#) {
      let target = folder.appendingPathComponent(String(link.output.1)).path
      #expect(FileManager.default.fileExists(atPath: target), "\(page) links to \(link.output.1)")
    }
  }

  private func text(_ path: String) throws -> String {
    let root = try #require(Shared.repository)
    return String(
      decoding: try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(path)")), as: UTF8.self)
  }
}
