import Foundation
import IRCDriver
import IRCSupport
import IRCTestSupport
import Testing

/// The examples for Make, Ninja, CMake and SwiftPM, each built, changed and built again in a copy.
@Suite("Build systems", .serialized)
struct BuildSystemTests {
  private let folder: TemporaryFolder

  /// Whether tests that take long are asked for.
  private static let isSlow = ProcessInfo.processInfo.environment["IRC_SLOW_TESTS"] != nil

  /// What each program writes for "The old man": token ids.
  private static let prompt = ["669", "626", "452"]

  init() throws {
    folder = try TemporaryFolder()
    let files = FileManager.default
    for example in ["make", "ninja", "cmake", "c-program"] {
      let place = folder.file("examples/\(example)")
      try files.createDirectory(atPath: place, withIntermediateDirectories: true)
      let source = "\(Workbench.repository)/examples/\(example)"
      for name in try files.contentsOfDirectory(atPath: source)
      where ["Makefile", "build.ninja", "CMakeLists.txt", "model.yaml", "generate.c"].contains(name)
      {
        try files.copyItem(atPath: "\(source)/\(name)", toPath: "\(place)/\(name)")
      }
    }
    try files.createSymbolicLink(
      atPath: folder.file("examples/novels-mamba"),
      withDestinationPath: Workbench.repository + "/examples/novels-mamba")
  }

  /// Path of a tool; nil where the machine has none.
  private static func tool(_ name: String) -> String? { CCompiler.locate(name) }

  @discardableResult
  private func run(
    _ arguments: [String], limit: Duration = .seconds(900)
  ) throws -> String {
    // What changes while a program starts is not remembered, and Make wants times that differ.
    Thread.sleep(forTimeInterval: 0.1)
    let outcome = try Program.run(
      arguments, executable: "/usr/bin/env",
      environment: [
        "IRC_CACHE_DIR": folder.file("cache"), "MAKEFLAGS": "", "MAKELEVEL": "",
        "IRC": Program.path,
      ], limit: limit)
    #expect(outcome.code == 0, "\(arguments): \(outcome.output) \(outcome.errors)")
    return outcome.output + outcome.errors
  }

  /// Times of the library's objects, the program and what was lowered.
  private func times(_ place: String) throws -> [String: Int] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: place)
    return try names.reduce(into: [:]) { result, name in
      guard [".o", ".c", ".weights", "generate"].contains(where: name.hasSuffix) else { return }
      result[name] = try #require(FileIdentity(path: "\(place)/\(name)")).modified
    }
  }

  /// Builds, changes and builds again.
  ///
  /// - Parameters:
  ///   - build: the command.
  ///   - program, library: where the program and the lowered files lie in `place`.
  private func check(
    _ place: String, _ build: [String], program: String, library: String
  ) throws {
    let model = "\(place)/model.yaml"
    func weights() throws -> Int {
      try #require(FileIdentity(path: "\(place)/\(library)/novels-mamba.weights")).size
    }
    func generate() throws -> String {
      try run(["\(place)/\(program)", "\(place)/\(library)/novels-mamba.weights"] + Self.prompt)
    }
    try run(build)
    let (first, eightBits) = (try generate(), try weights())
    #expect(first.split(separator: " ").count > 32)
    let built = try times(place)
    #expect(built.keys.contains { $0.hasSuffix("kernels_linear.c") })

    // Nothing has changed: nothing is made.
    try run(build)
    #expect(try times(place) == built)

    // The model file was saved with the same content: nothing is compiled.
    try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: model)
    try run(build)
    #expect(try times(place) == built)

    // Another scheme: everything that depends on it is made, the kernels' objects at most where times tell no better.
    let text = try String(contentsOfFile: model, encoding: .utf8)
    try text.replacing("rtn-w8a8", with: "rtn-w4a16").write(
      toFile: model, atomically: false, encoding: .utf8)
    try run(build)
    #expect(try weights() < eightBits)
    let rebuilt = try times(place)
    #expect(rebuilt[program] != built[program])
    #expect(rebuilt["\(library)/kernels_linear.c"] == built["\(library)/kernels_linear.c"])
    #expect(try generate() != first)
    try run(build)
    #expect(try times(place) == rebuilt)
  }

  @Test("Make", .enabled(if: tool("make") != nil, "there is no make"))
  func make() throws {
    let place = folder.file("examples/make")
    try check(
      place, ["make", "-C", place, "IRC=\(Program.path)"], program: "generate",
      library: "build/novels-mamba")
  }

  @Test("The build file for Ninja names the files that there will be, in order")
  func ninjaFiles() throws {
    let place = folder.file("examples/ninja")
    let forecast = try Program.run("lower", "\(place)/model.yaml", "--dry-run", "--json", "--quiet")
    #expect(forecast.code == 0, "\(forecast.errors)")
    let files = try forecast.json()["files"].array().map { try $0.string() }
    let text = try String(contentsOfFile: "\(place)/build.ninja", encoding: .utf8)
    let rule = try #require(text.firstMatch(of: /\nbuild ([^:]*): lower model\.yaml/))
    let named = rule.output.1.split { " $\n".contains($0) }.map { name in
      String(name).replacing("library/", with: "")
    }
    #expect(named == files + ["manifest.json"])
    for source in files where source.hasSuffix(".c") {
      #expect(text.contains(": compile $library/\(source)\n"), "\(source)")
      #expect(text.contains("build/\(source.dropLast(2)).o"), "\(source)")
    }
  }

  @Test(
    "Ninja",
    .enabled(
      if: tool("ninja") != nil, "there is no ninja"))
  func ninja() throws {
    let place = folder.file("examples/ninja")
    // Variables of a build file are set in it.
    let file = "\(place)/build.ninja"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try text.replacing("irc = irc\n", with: "irc = \(Program.path)\n").write(
      toFile: file, atomically: false, encoding: .utf8)
    try check(
      place, ["ninja", "-C", place], program: "generate", library: "build/novels-mamba")
    #expect(try run(["ninja", "-C", place]).contains("no work to do"))
  }

  @Test(
    "CMake",
    .enabled(
      if: tool("cmake") != nil && tool("make") != nil, "there is no cmake"))
  func cmake() throws {
    let place = folder.file("examples/cmake")
    let generators = Self.tool("ninja") == nil ? ["Unix Makefiles"] : ["Unix Makefiles", "Ninja"]
    let original = try String(contentsOfFile: "\(place)/model.yaml", encoding: .utf8)
    for generator in generators {
      try original.write(toFile: "\(place)/model.yaml", atomically: false, encoding: .utf8)
      try? FileManager.default.removeItem(atPath: "\(place)/build")
      try run([
        "cmake", "-G", generator, "-S", place, "-B", "\(place)/build",
        "-Dirc_DIR=\(Workbench.repository)/cmake", "-DIRC_EXECUTABLE=\(Program.path)",
      ])
      try check(
        place, ["cmake", "--build", "\(place)/build"], program: "build/generate",
        library: "build/novels")
    }
  }

  @Test(
    "CMake finds the emitted library as a package",
    .enabled(if: tool("cmake") != nil && tool("make") != nil, "there is no cmake"))
  func cmakePackage() throws {
    let place = folder.file("examples/cmake")
    try run([Program.path, "lower", "\(place)/model.yaml", "-o", folder.file("moved"), "--quiet"])
    try folder.write(
      "examples/cmake/CMakeLists.txt",
      """
      cmake_minimum_required(VERSION 3.21)
      project(generate C)
      find_package(novels-mamba CONFIG REQUIRED PATHS "\(folder.file("moved"))")
      add_executable(generate ../c-program/generate.c)
      target_link_libraries(generate PRIVATE novels-mamba::novels-mamba)
      file(WRITE "${CMAKE_BINARY_DIR}/weights.txt" "${novels_mamba_WEIGHTS}")
      """)
    try run(["cmake", "-S", place, "-B", "\(place)/build"])
    try run(["cmake", "--build", "\(place)/build"])
    let weights = try String(contentsOfFile: "\(place)/build/weights.txt", encoding: .utf8)
    #expect(weights == folder.file("moved/novels-mamba.weights"))
    #expect(
      try run(["\(place)/build/generate", weights] + Self.prompt).split(separator: " ").count > 32)
  }

  @Test(
    "pkg-config tells what to compile", .enabled(if: tool("pkg-config") != nil, "no pkg-config"))
  func pkgConfig() throws {
    let model = folder.file("examples/make/model.yaml")
    try run([Program.path, "lower", model, "-o", folder.file("lowered"), "--quiet"])
    // The folder may be moved afterwards.
    try FileManager.default.moveItem(
      atPath: folder.file("lowered"), toPath: folder.file("a-place"))
    func ask(_ option: String) throws -> String {
      let answer = try run(["pkg-config", option, folder.file("a-place/novels-mamba.pc")])
      return answer.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let command =
      try "cc \(ask("--cflags")) \(ask("--variable=cflags")) -o '\(folder.file("generate"))' "
      + "'\(folder.file("examples/c-program/generate.c"))' \(ask("--variable=sources")) \(ask("--libs"))"
    try run(["sh", "-c", command])
    let weights = try ask("--variable=weights")
    #expect(weights == folder.file("a-place/novels-mamba.weights"))
    #expect(
      try run([folder.file("generate"), weights] + Self.prompt).split(separator: " ").count > 32)
  }

  @Test(
    "A Swift package lowers before it builds",
    .enabled(if: Self.isSlow, "takes minutes"))
  func swiftPackage() throws {
    let place = folder.file("package")
    let source = Workbench.repository + "/examples/swift-package"
    let files = FileManager.default
    try files.createDirectory(
      atPath: place + "/Sources/CNovels", withIntermediateDirectories: true)
    try files.copyItem(atPath: source + "/Sources/generate", toPath: place + "/Sources/generate")
    for name in ["Sources/CNovels/module.modulemap", "Sources/CNovels/model.yaml", "Package.swift"]
    {
      let text = try String(contentsOfFile: "\(source)/\(name)", encoding: .utf8)
        .replacing("path: \"../..\"", with: "path: \"\(Workbench.repository)\"")
        .replacing(
          "../../../novels-mamba", with: Workbench.repository + "/examples/novels-mamba")
      try text.write(toFile: "\(place)/\(name)", atomically: false, encoding: .utf8)
    }
    let swift = ProcessInfo.processInfo.environment["SWIFT"] ?? "swift"
    func lower() throws {
      try run(
        [
          swift, "package", "--package-path", place, "--allow-writing-to-package-directory",
          "lower-models",
        ], limit: Program.longest)
    }
    func generate(_ options: String...) throws -> String {
      try run([swift, "build", "--package-path", place] + options, limit: Program.longest)
      return try run(["\(place)/.build/debug/generate"] + Self.prompt)
    }
    try lower()
    let first = try generate()
    #expect(first.split(separator: " ").count == 16)
    let built = try times(place + "/.build/debug/CNovels.build")
    #expect(try generate() == first)
    #expect(try times(place + "/.build/debug/CNovels.build") == built)
    let model = place + "/Sources/CNovels/model.yaml"
    let text = try String(contentsOfFile: model, encoding: .utf8)
    func choose(_ pipeline: String) throws {
      try text.replacing("rtn-w8a8", with: pipeline).write(
        toFile: model, atomically: false, encoding: .utf8)
    }
    try choose("rtn-w2a16")
    let second = try generate("--disable-build-manifest-caching")
    #expect(second != first)
    let rebuilt = try times(place + "/.build/debug/CNovels.build")
    #expect(rebuilt.filter { built[$0.key] != $0.value }.keys.sorted() == ["novels-mamba.c.o"])
    try choose("rtn-w3a16")
    try lower()
    #expect(try ![first, second].contains(generate()))
  }
}
