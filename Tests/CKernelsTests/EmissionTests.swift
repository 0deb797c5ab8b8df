import CKernels
import Foundation
import IRCTestSupport
import Testing

@Suite("The emitted text")
struct EmissionTests {
  static let files: [(name: String, text: String)] = (0..<irc_embedded_file_count()).map { index in
    let file = irc_embedded_files()[index]
    let bytes = UnsafeRawBufferPointer(start: file.text, count: file.size)
    return (String(cString: file.file_name), String(decoding: bytes, as: UTF8.self))
  }

  @Test func isTheSourceItself() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/CKernels")
    // Everything that is called kernels_… but the reference, and the header.
    let emitted = try FileManager.default.contentsOfDirectory(atPath: root.path)
      .filter { $0.hasPrefix("kernels_") && $0 != "kernels_reference.c" }
    #expect(Set(Self.files.map(\.name)) == Set(emitted + ["irc_kernels.h"]))
    for file in Self.files {
      let folder = file.name == "irc_kernels.h" ? root.appendingPathComponent("include") : root
      let source = try String(
        contentsOf: folder.appendingPathComponent(file.name), encoding: .utf8)
      #expect(file.text == source, "\(file.name)")
    }
  }

  /// Writes the files and a program to a new folder, and runs `compiler` on them there.
  private func compile(
    _ compiler: URL, _ arguments: [String], main: String? = nil, hasSets: Bool = true,
    then check: (URL) throws -> Void = { _ in }
  ) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("irc-kernels-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for file in Self.files {
      try Data(file.text.utf8).write(to: folder.appendingPathComponent(file.name))
    }
    var sources = Self.files.map(\.name).filter { $0.hasSuffix(".c") }
    var arguments = arguments
    if !hasSets {
      sources.removeAll { file in ThreadTests.sets.contains { file.hasPrefix("kernels_\($0)_") } }
      arguments += ThreadTests.sets.map { "-DIRC_WITH_\($0.uppercased())=0" }
    }
    if let main {
      try Data(main.utf8).write(to: folder.appendingPathComponent("main.c"))
      sources.append("main.c")
    }
    let (status, output) = try run(
      compiler, arguments + sources + (main == nil ? [] : ["-lm"]), in: folder)
    #expect(status == 0 && output.isEmpty, "\(output)")
    if status == 0 { try check(folder) }
  }

  static let strict = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1"]

  /// Compiles everything; the symbols must begin with the prefix.
  private func compilesCleanly(_ compiler: URL, _ flags: [String], prefix: String) throws {
    try compile(compiler, Self.strict + flags + ["-c"]) { folder in
      guard let lister = program("nm") else { return }
      let objects = Self.files.map(\.name).filter { $0.hasSuffix(".c") }
        .map { $0.dropLast(2) + ".o" }.map(String.init)
      let (status, output) = try run(lister, ["-g", "--defined-only"] + objects, in: folder)
      #expect(status == 0)
      let symbols = output.split(separator: "\n").filter {
        $0.contains(" T ") || $0.contains(" D ")
      }
      #expect(symbols.count > 20)
      #expect(
        symbols.allSatisfy { $0.split(separator: " ").last?.hasPrefix("\(prefix)_") == true })
    }
  }

  /// A program that prints a checksum of the bits of every float kernel on fixed inputs.
  static let main = #"""
    #include <stdio.h>
    #include <string.h>
    #include "irc_kernels.h"
    enum { T = 5, N = 172, O = 7 };
    static uint64_t hash = 14695981039346656037u;
    static void add(const void *p, size_t n) {
      for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)p)[i]) * 1099511628211u;
    }
    static float x[T * N], w[N * N], y[T * N], h[N * N], scale[O * 6];
    static uint8_t packed[O * 192], bytes[O * 6];
    static uint16_t half[O * N];
    static int8_t zero[O * 6], codes[T * 192];
    static float scratch[4 * 192 + 4 * 5], lanes[8 * 8 * 16];
    static float sums[32 * 172 + 4096];
    static uint32_t signs[172 * 6];
    int main(void) {
      uint32_t r = 1;
      for (int i = 0; i < N * N; i++) {
        r = r * 1664525u + 1013904223u;
        w[i] = (float)((double)(r >> 8) / 8388608.0 - 1.0);
        if (i < T * N) x[i] = w[i] * 5;
        if (i < 172 * 6) signs[i] = r ^ r >> 15;
        if (i < O * N) half[i] = (uint16_t)(r >> 18);
        if (i < O * 192) packed[i] = (uint8_t)(r >> 13);
        if (i < O * 6) { scale[i] = w[i] * w[i]; zero[i] = (int8_t)(r >> 20); }
      }
      IRC_NAME(exp_f32)(y, x, T * N); add(y, sizeof y);
      IRC_NAME(softplus_f32)(y, x, T * N); add(y, sizeof y);
      IRC_NAME(sigmoid_f32)(y, x, T * N); add(y, sizeof y);
      IRC_NAME(silu_f32)(y, x, T * N); add(y, sizeof y);
      IRC_NAME(scaled_silu_rows_f32)(y, x, N, w, T, N); add(y, sizeof y);
      IRC_NAME(div_rows_f32)(y, x, N, w, T, N); add(y, sizeof y);
      IRC_NAME(rms_norm_f32)(y, x, N, w, T, N, 1e-5f); add(y, sizeof y);
      IRC_NAME(layer_norm_f32)(y, x, N, w, w + 9, T, N, 1e-5f); add(y, sizeof y);
      for (size_t order = 12; order <= 172; order += 80)
        for (size_t power = 1; power <= 512; power *= 2) {
          irc_hadamard_base base = {order, signs};
          irc_hadamard h = {power, power, 0, &base, signs, NULL, 0.25};
          if (power < 16) h.order *= order, h.bases = 1;
          size_t n = T * N / 2 / h.order * h.order;
          if (n == 0) continue;
          IRC_NAME(hadamard_f32)(y, x, n + 3, 1 + (n < 400), n, &h, sums); add(y, sizeof y);
          h.signs_before = NULL; h.signs_after = signs;
          IRC_NAME(hadamard_f32)(y, y, n, 1, n, &h, sums); add(y, sizeof y);
        }
      IRC_NAME(attention_f32)(y, x, N, w, N, w + 7, N, T, 9, 4, 2, N / 4, 0.3f, 0, scratch);
      add(y, sizeof y);
      IRC_NAME(causal_conv_f32)(y, h, x, N, h, w, w, T, N, 4); add(y, sizeof y);
      for (int i = 0; i < N * 20; i++) w[i] = -w[i] * w[i];
      IRC_NAME(selective_scan_f32)(y, h, x, N, w + 9, N, w, x, N, x + 30, N, w, T, N, 20);
      add(y, sizeof y); add(h, sizeof h);
      IRC_NAME(linear_f32)(y, O, x, N, w, x, T, N, O); add(y, sizeof y);
      IRC_NAME(linear_f16)(y, O, x, N, half, x, T, N, O, scratch); add(y, sizeof y);
      for (uint32_t bits = 2; bits <= 8; bits++)
        for (size_t group = 32; group <= 256; group += 224) {
          irc_packed_weights q = {
            .codes = packed, .scales = scale, .zeros = group == 32 ? zero : NULL, .bits = bits,
            .scale_type = IRC_SCALE_F32, .out = O, .in = N, .group = group,
            .groups = group == 32 ? 6 : 1, .row_bytes = irc_packed_row_bytes(N, bits)};
          float s[T];
          int32_t z[T];
          IRC_NAME(linear_q_f32)(y, O, x, N, &q, NULL, T, scratch); add(y, sizeof y);
          IRC_NAME(quantize_tokens_i8)(codes, 192, s, group == 32 ? z : NULL, x, N, T, N, bits);
          add(codes, sizeof codes); add(s, sizeof s);
          IRC_NAME(linear_q_i8)(y, O, codes, 192, s, group == 32 ? z : NULL, 1, &q, x, T, scratch);
          add(y, sizeof y);
          irc_real_weights down = {half, true, O, N}, up = {group == 32 ? (void *)half : w, group == 32, O, 5};
          IRC_NAME(quantize_tokens_down)(
            codes, 192, s, group == 32 ? z : NULL, h, O, x, N, &down, T, bits, lanes);
          add(codes, sizeof codes); add(s, sizeof s); add(h, T * O * sizeof *h);
          IRC_NAME(quantize_static_down)(codes, 192, h, O, x, N, &down, T, 0.1f, 1, -8, 7, lanes);
          add(codes, sizeof codes); add(h, T * O * sizeof *h);
          IRC_NAME(linear_q_i8_up)(
            y, O, codes, 192, s, NULL, 1, &q, x, h, O, &up, T, scratch);
          add(y, sizeof y);
          IRC_NAME(linear_q_f32_up)(y, O, x, N, &q, NULL, h, O, &up, T, scratch);
          add(y, sizeof y);
          q.values = w;
          q.scale_type = group == 32 ? IRC_SCALE_E4M3 : IRC_SCALE_E8M0;
          q.tensor_scale = scale;
          for (int i = 0; i < O * 6; i++) bytes[i] = (uint8_t)(96 + i);
          q.scales = bytes;
          IRC_NAME(linear_q_f32)(y, O, x, N, &q, NULL, T, scratch); add(y, sizeof y);
        }
      printf("%016llx", (unsigned long long)hash);
      return 0;
    }
    """#

  @Test("compiles cleanly with gcc", .enabled(if: program("gcc") != nil, "needs gcc"))
  func gcc() throws {
    // Some of what it warns of shows only when it optimises.
    try compilesCleanly(#require(program("gcc")), [], prefix: "irc")
  }

  @Test(
    "compiles cleanly with clang, under another prefix",
    .enabled(if: program("clang") != nil, "needs clang"))
  func clang() throws {
    try compilesCleanly(#require(program("clang")), ["-O0", "-DIRC_PREFIX=abc"], prefix: "abc")
  }

  @Test(
    "gives the same bits whatever the compiler and its flags",
    .enabled(if: program("gcc") != nil && program("clang") != nil, "needs gcc and clang"))
  func sameBits() throws {
    var results: [String: String] = [:]
    // Gold, which some clangs prefer, warns of the sanitizer's own symbols.
    let sanitizers = [
      "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fuse-ld=bfd",
    ]
    var flags = [sanitizers, ["-O3"], ["-O2", "-DIRC_PLAIN_VECTORS"]]
    if Processor.hasAVX2 { flags.append(["-O3", "-mavx2", "-mfma", "-mf16c"]) }
    var builds = try ["gcc", "clang"].flatMap { name in
      let compiler = try #require(program(name))
      return flags.map { (compiler, $0) }
    }
    // Beside Swift lies the clang that builds the compiler. Told that this is a package, it
    // compiles the versions that are chosen between at run time.
    if let swift = program("swift") {
      let clang = swift.resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent("clang")
      if FileManager.default.isExecutableFile(atPath: clang.path) {
        builds.append((clang, ["-O2", "-DSWIFT_PACKAGE"]))
      }
    }
    for (compiler, flags) in builds {
      let arguments = ["-std=c11", "-DIRC_PREFIX=abc", "-o", "program"] + flags
      // The program calls portable kernels; CrossTests compare the sets with them.
      try compile(compiler, arguments, main: Self.main, hasSets: false) { folder in
        let (status, output) = try run(folder.appendingPathComponent("program"), [], in: folder)
        #expect(status == 0, "\(output)")
        results[([compiler.path] + flags).joined(separator: " ")] = output
      }
    }
    #expect(results.count == builds.count)
    #expect(Set(results.values).count == 1, "\(results)")
  }
}
