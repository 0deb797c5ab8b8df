import Foundation
import IRCCodegen
import IRCGraph
import IRCSupport
import IRCTestSupport
import Testing

/// Which kernels a library has, and which of them it runs with.
@Suite struct TargetTests {
  private func emitted(_ target: Target) throws -> EmittedModel {
    try EmittedModel(
      try TestModels.llama(.w8a8), .init(name: "aimed", contextLength: 32, target: target))
  }

  private static let sets: [(Target, Set<String>)] = [
    (.portable, []), (.avx2, ["avx2"]), (.avx512VNNI, ["avx512"]), (.neon, ["neon"]),
    (.native, ["avx2", "avx512", "amx", "neon"]),
  ]

  @Test("the kernels of a target are its own and the portable ones", arguments: sets)
  func files(_ target: Target, _ sets: Set<String>) throws {
    let model = try emitted(target)
    let all: Set = ["avx2", "avx512", "amx", "neon"]
    let words = model.report.files.filter { $0.hasPrefix("kernels_") }.map {
      String($0.dropFirst("kernels_".count).prefix { $0 != "_" && $0 != "." })
    }
    #expect(Set(words).intersection(all) == sets)
    let dispatch = String(decoding: try model.bytes(of: "kernels_dispatch.c"), as: UTF8.self)
    for set in all {
      #expect(
        dispatch.contains("#define IRC_WITH_\(set.uppercased()) 0\n") == !sets.contains(set))
    }
    for name in ["aimed.h", "aimed.c"] {
      let text = String(decoding: try model.bytes(of: name), as: UTF8.self)
      let line = text.split(separator: "\n").first { $0.hasPrefix("// Kernels: portable") }
      for set in all { #expect((line?.contains(set) ?? false) == sets.contains(set), "\(name)") }
    }
  }

  /// Prints the kernels' name and the status of a context.
  private static let main = """
    #include <stdio.h>
    #include <stdlib.h>
    #include "aimed.h"
    int main(int argc, char **argv) {
      if (argc != 2) return 2;
      size_t bytes = aimed_context_bytes(0);
      void *memory = aligned_alloc(AIMED_ALIGNMENT, bytes);
      aimed_context *m = NULL;
      aimed_status status = aimed_create(&m, memory, bytes, 0, argv[1]);
      printf("%s %d", aimed_kernels(), (int)status);
      aimed_destroy(m);
      free(memory);
      return 0;
    }

    """

  /// What the program says, compiled for any x86-64 or AArch64 processor and run, perhaps by an emulator.
  private func said(_ target: Target, by emulator: [String] = []) throws -> String {
    let model = try emitted(target)
    let main = try model.folder.write("main.c", Self.main)
    let program = model.folder.file("program")
    let gcc = try #require(Compilers.gcc)
    let flags = ["-O0", "-pthread"] + Compilers.strict
    let objects = try KernelObjects.shared.objects(of: model.kernels, gcc, flags)
    try compile(
      gcc,
      flags + ["-o", program, main, model.folder.file(model.report.names.source)] + objects
        + ["-lm"])
    let command = emulator + [program]
    let result = try runProgram(command[0], Array(command.dropFirst()) + [model.weights])
    #expect(result.status == 0)
    return result.output
  }

  @Test(
    "a library runs with the kernels of its target, or makes no context",
    .enabled(if: Compilers.gcc != nil && Processor.hasAVX2, "needs gcc and AVX2"))
  func chosen() throws {
    #expect(try said(.portable) == "portable 0")
    #expect(try said(.avx2) == "avx2 0")
    let native = try said(.native)
    #expect(native.hasSuffix(" 0") && native != "portable 0")
    // This is no ARM.
    #expect(try said(.neon) == "none 8")
  }

  @Test(
    "an older processor gets the kernels that it can run, and no context of a library for another",
    .enabled(
      if: Compilers.gcc != nil && Processor.hasAVX2 && Compilers.find("qemu-x86_64") != nil,
      "needs gcc and qemu-user"))
  func older() throws {
    let emulator = try [#require(Compilers.find("qemu-x86_64")), "-cpu", "Nehalem"]
    #expect(try said(.native, by: emulator) == "portable 0")
    #expect(try said(.avx2, by: emulator) == "none 8")
    #expect(try said(.avx512VNNI, by: emulator) == "none 8")
  }
}
