import Foundation
import IRCBench
import Testing

@Suite("Suites of kernels")
struct KernelSuiteTests {
  @Test(
    "Shapes are rows and columns, columns in whole blocks",
    arguments: [
      ("64x64", true), ("11008x4096", true), ("1x32", true), ("64", false), ("64x", false),
      ("x64", false), ("64x64x64", false), ("64x48", false), ("0x64", false), ("-1x64", false),
      ("64X64", false), ("99999999999999999999x64", false),
    ])
  func shapes(text: String, isShape: Bool) {
    #expect((MatrixShape(Substring(text)) != nil) == isShape)
  }

  @Test(
    "A pattern is words of a label, or a glob for all of it",
    arguments: [
      ("int4", true), ("int4/32", true), ("int4 n=512", true), ("n=512 int4", true), ("", true),
      ("int", false), ("int4/3", false), ("n=5", false), ("int4 n=1", false), ("*n=512", true),
      ("int4*", true), ("int4?32 *", true), ("int4", true), ("i4", false),
    ])
  func patterns(text: String, fits: Bool) {
    #expect(CasePattern(text).matches("int4/32 i8 4096x4096 n=512") == fits)
  }

  @Test("The names of sets of kernels are those of the documentation")
  func names() throws {
    let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/performance.md")
    let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
      .drop { !$0.hasPrefix("| name | what the processor") }.dropFirst(2)
      .prefix { $0.hasPrefix("| `") }
    let documented = rows.map { String($0.split(separator: "`")[1]) }
    #expect([KernelSets.best] + documented == KernelSets.names)
  }

  @Test("Every case has a label of its own, and what shares weights lies together")
  func labels() {
    let sections = KernelSuite.sections(MatrixShape.usual, only: [])
    let labels = sections.flatMap(\.cases).map(\.label)
    #expect(Set(labels).count == labels.count)
    for section in sections {
      #expect(section.cases.allSatisfy { $0.format == section.format })
      #expect(section.cases.allSatisfy { $0.cols == section.shape.cols })
    }
    for label in [
      "int8 i8 4096x4096 n=1", "int8 i8 11008x4096 n=128", "int4/128 i8 2048x2048 n=512",
      "int4/32 i4 4096x4096 n=512", "int4+rank32/32 i4 4096x4096 n=512", "nf4/32 f32 4096x4096 n=1",
      "int3/32 f32 4096x4096 n=1", "hadamard i8 4096x4096 n=4096",
    ] {
      #expect(labels.contains(label))
    }
    let one = KernelSuite.sections(MatrixShape.usual, only: [CasePattern("int8 n=512")])
    #expect(one.flatMap(\.cases).count == 3)
    #expect(KernelSuite.sections(MatrixShape.usual, only: [CasePattern("int9")]).isEmpty)
  }

  @Test("Transforms are measured once for each order, which is a power of two")
  func orders() {
    let shapes = ["64x96", "64x64", "128x64"].compactMap { MatrixShape(Substring($0)) }
    let sections = KernelSuite.sections(shapes, only: [CasePattern("hadamard")])
    #expect(sections.map(\.shape) == [MatrixShape(rows: 64, cols: 64)])
  }
}
