import Foundation
import IRCCodegen
import IRCGraph
import IRCSupport
import IRCTestSupport
import Testing

/// Libraries beside each other and beside other code.
@Suite struct LinkTests {
  @Test(
    "two models and two threads live in one program",
    .enabled(if: Compilers.gcc != nil, "gcc is not installed"))
  func linksTwoModels() throws {
    let first = try EmittedModel(
      try TestModels.mamba(.w8a8),
      .init(name: "first.model", contextLength: 64, target: .portable))
    let second = try EmittedModel(
      try TestModels.llama(.w8a8),
      .init(name: "2nd-model", contextLength: 64, target: .portable))
    #expect(first.report.names.symbol == "first_model")
    #expect(second.report.names.symbol == "m2nd_model")
    let folder = try TemporaryFolder()
    let source = try folder.write(
      "main.c",
      """
      #include <pthread.h>
      #include <stdint.h>
      #include <stdlib.h>
      #include <string.h>
      #include "first.model.h"
      #include "2nd-model.h"

      static const char **paths;

      #define RUN(model, MODEL, path) \\
        static void *run_##model(void *out) { \\
          size_t bytes = model##_context_bytes(0); \\
          void *memory = aligned_alloc(64, bytes); \\
          model##_context *m = NULL; \\
          const int32_t ids[] = {1, 2, 3, 4, 5}; \\
          const float *logits = NULL; \\
          if (memory && model##_create(&m, memory, bytes, 0, path) == MODEL##_OK && \\
              model##_prefill(m, ids, 5, &logits) == MODEL##_OK) \\
            memcpy(out, logits, MODEL##_VOCABULARY * sizeof(float)); \\
          model##_destroy(m); \\
          free(memory); \\
          return NULL; \\
        }
      RUN(first_model, FIRST_MODEL, paths[1])
      RUN(m2nd_model, M2ND_MODEL, paths[2])

      int main(int argc, char **argv) {
        if (argc != 3) return 2;
        paths = (const char **)argv;
        static float a[4][FIRST_MODEL_VOCABULARY], b[4][M2ND_MODEL_VOCABULARY];
        run_first_model(a[3]);
        run_m2nd_model(b[3]);
        pthread_t threads[6];
        for (int i = 0; i < 3; i++) {
          pthread_create(&threads[2 * i], NULL, run_first_model, a[i]);
          pthread_create(&threads[2 * i + 1], NULL, run_m2nd_model, b[i]);
        }
        for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
        int wrong = a[3][0] == 0 || b[3][0] == 0;
        for (int i = 0; i < 3; i++)
          wrong += memcmp(a[i], a[3], sizeof a[i]) != 0 || memcmp(b[i], b[3], sizeof b[i]) != 0;
        return wrong;
      }

      """)
    let program = folder.file("program")
    try compile(
      try #require(Compilers.gcc),
      ["-O1", "-D_POSIX_C_SOURCE=200809L", "-I\(first.folder.path)", "-I\(second.folder.path)"]
        + Compilers.strict.filter { $0 != "-Wpedantic" } + ["-o", program, source]
        + first.sources + second.sources + ["-lm", "-lpthread"])
    let result = try runProgram(program, [first.weights, second.weights])
    #expect(result.status == 0)
  }

  @Test(
    "the source file alone says nothing outside its prefix and needs no allocation",
    .enabled(
      if: Compilers.gcc != nil && Compilers.find("nm") != nil, "gcc or nm is not installed"),
    arguments: ["mamba", "llama"], [ThreadModel.none, .pool])
  func keepsToItsPrefix(_ architecture: String, _ threads: ThreadModel) throws {
    let graph = try architecture == "mamba" ? TestModels.mamba(.w8a8) : TestModels.llama(.w8a8)
    let emitted = try EmittedModel(graph, .init(name: "tidy", threads: threads))
    let gcc = try #require(Compilers.gcc)
    let flags = ["-O1", "-fno-pie"]
    let own = emitted.folder.file("own.o")
    try compile(gcc, flags + ["-c", "-o", own, emitted.folder.file(emitted.report.names.source)])
    let objects = [own] + (try KernelObjects.shared.objects(of: emitted.kernels, gcc, flags))
    let nm = try #require(Compilers.find("nm"))
    var defined: Set<String> = []
    var needed: Set<String> = []
    for object in objects {
      for line in try runProgram(nm, [object]).output.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        guard let name = words.last, words.count >= 2 else { continue }
        switch words[words.count - 2] {
        case "U": needed.insert(name)
        case "T", "R": defined.insert(name)
        // Initialised, zeroed or common data would be a global that can change.
        case "D", "B", "C", "d", "b": Issue.record("\(name) is a variable")
        default: break
        }
      }
    }
    #expect(defined.allSatisfy { $0.hasPrefix("tidy_") })
    let outside = needed.subtracting(defined)
    var allowed: Set = [
      "open", "close", "fstat", "mmap", "munmap", "memcpy", "memmove", "memset", "sqrtf", "sin",
      "cos", "sincos", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail",
      // What the compiler itself asks the processor with.
      "__cpu_model", "__cpu_features2", "__cpu_indicator_init", "getauxval",
    ]
    if threads == .pool {
      allowed.formUnion([
        "pthread_create", "pthread_join", "pthread_sigmask", "sigfillset", "clock_gettime",
        "pthread_mutex_init", "pthread_mutex_destroy", "pthread_mutex_lock", "pthread_mutex_unlock",
        "pthread_cond_init", "pthread_cond_destroy", "pthread_cond_wait", "pthread_cond_signal",
        "pthread_cond_broadcast",
      ])
    }
    #expect(outside.subtracting(allowed) == [])
  }

  @Test(
    "the header serves C++ as well",
    .enabled(if: Compilers.find("g++") != nil, "g++ is not installed"))
  func headerIsCPlusPlus() throws {
    let emitted = try EmittedModel(try TestModels.mamba(.float), .init(name: "plus"))
    let source = try emitted.folder.write(
      "use.cc", "#include \"plus.h\"\nstd::size_t bytes() { return plus_context_bytes(0); }\n")
    let result = try runProgram(
      try #require(Compilers.find("g++")),
      ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-include", "cstddef"]
        + ["-c", "-o", emitted.folder.file("use.o"), source])
    #expect(result.status == 0, "\(result.output)")
  }

  @Test(
    "names become files and symbols that C and the shell can bear",
    arguments: [
      ("novels-mamba", "novels-mamba", "novels_mamba"),
      ("Llama 3.2 (1B)", "Llama_3.2__1B_", "Llama_3_2_1B"),
      ("../../etc/passwd", "_.._etc_passwd", "etc_passwd"), ("7b", "7b", "m7b"),
      ("Ünï", "model__n_", "model_n"), ("", "model", "model"), ("...", "model", "model"),
      ("kernels_math", "model_kernels_math", "model_kernels_math"),
      ("irc", "model_irc", "model_irc"),
      ("__x__y__", "__x__y__", "x_y"),
    ])
  func namesAreSafe(_ name: String, _ stem: String, _ symbol: String) {
    let names = ArtifactNames(model: name)
    #expect(names.stem == stem)
    #expect(names.symbol == symbol)
    #expect(ArtifactNames(model: names.stem) == names)
  }

  @Test("values that live at the same time have places of their own")
  func planDoesNotOverlap() throws {
    for graph in [try TestModels.mamba(.w8a8), try TestModels.llama(.w8a8)] {
      let emitted = try EmittedModel(graph, .init(name: "plan", chunk: 5))
      let text = String(decoding: try emitted.bytes(of: "plan.c"), as: UTF8.self)
      /// Rows of the table: offset, bytes, first and last step, and the buffer with that of which it shares the place.
      var homes: [Substring: Substring] = [:]
      let rows = text.split(separator: "\n").compactMap { line -> ([Int], home: Substring)? in
        let words = line.split { " -,".contains($0) }.dropFirst()
        let numbers = words.prefix(4).compactMap { Int($0) }
        guard line.hasPrefix("//  "), words.count >= 5, numbers.count == 4 else { return nil }
        let name = words[words.startIndex + 4]
        homes[name] = words.count == 7 ? words.last.flatMap { homes[$0] } : name
        return (numbers, homes[name, default: name])
      }
      #expect(rows.count > 30)
      #expect(Set(rows.map(\.home)).count < rows.count)
      for (index, (a, home)) in rows.enumerated() {
        #expect(a[0] % 64 == 0 && a[0] + a[1] <= emitted.report.arenaBytes)
        for (b, other) in rows[..<index] {
          if home == other {
            // Written over, row by row.
            #expect(a[0] == b[0] && a[1] == b[1])
          } else if a[2] <= b[3] && b[2] <= a[3] {
            #expect(a[0] + a[1] <= b[0] || b[0] + b[1] <= a[0])
          }
        }
      }
      #expect(rows.reduce(0) { $0 + $1.0[1] } > 2 * emitted.report.arenaBytes)
    }
  }
}
