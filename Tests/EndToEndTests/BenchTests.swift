import IRCSupport
import IRCTestSupport
import Testing

/// `irc bench` with small shapes: what it writes, not how fast anything is.
@Suite("Benchmark")
struct BenchTests {
  private static let small = [
    "bench", "--suite", "kernels", "--shapes", "64x64", "--ring", "1", "--runs", "1", "--json",
  ]

  private func run(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(Self.small + arguments)
  }

  @Test("Every row says what was measured and how near it came to the limit", arguments: [1, 2])
  func rows(threads: Int) throws {
    let outcome = try run("--no-peers", "--threads", "\(threads)")
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(try outcome.keys() == ["machine", "rows"])
    let machine = try outcome.json()["machine"]
    #expect(try machine["threads"].int() == threads)
    #expect(try machine["read_gbps"].double() > 0)
    #expect(try machine["int8"]["gops"].double() > 0)
    #expect(try machine["ring_bytes"].int() == 1 << 20)
    let rows = try outcome.json()["rows"].array()
    #expect(rows.count >= 25)
    for row in rows {
      for key in ["weights", "activations", "limit"] {
        #expect(try !row[key].string().isEmpty)
      }
      #expect(try row["threads"].int() == threads)
      #expect(try (0...128).contains(row["group"].int()))
      #expect(try row["rows"].int() == 64 && row["cols"].int() == 64)
      #expect(try [1, 8, 32, 64, 128, 512].contains(row["n"].int()))
      for key in ["seconds", "of_limit", "gbps", "gops", "limit_rate"] {
        #expect(try row[key].double() > 0)
      }
      #expect(try row["peers"].object().isEmpty)
    }
    let kinds = Set(try rows.map { try $0["weights"].string() })
    #expect(
      kinds == [
        "int8", "int4", "int4+rank32", "int3", "int2", "mxfp4", "nvfp4", "nf4", "nf4-int8",
        "hadamard",
      ])
  }

  /// A program in the place of Python: it is given `-c`, a script, a family and threads.
  private func fake(_ folder: TemporaryFolder, answersTimes: Bool) throws -> String {
    let path = try folder.write(
      "python",
      """
      #!/bin/sh
      name="Fake $3 $ONEDNN_MAX_CPU_ISA"
      echo '{"family": "fake", "version": "1.5", "notes": ["a word"]}'
      while read -r request; do
        case $request in
          *'"skip":["Fake'*) echo '{"peers": {}, "notes": []}' ;;
          *'"op":"open"'*) echo "{\\"peers\\": {\\"$name\\": {\\"bytes\\": 4096, \\"copies\\": 2}}, \\"notes\\": []}" ;;
          *) \(answersTimes ? "echo '{\"seconds\": 0.25, \"products\": 1}'" : "exit 1") ;;
        esac
      done
      """)
    let outcome = try Program.run(["+x", path], executable: "/bin/chmod")
    #expect(outcome.code == 0)
    return path
  }

  @Test("Peers are asked line by line, and stand in the rows that they have something for")
  func peers() throws {
    let folder = try TemporaryFolder()
    let python = try fake(folder, answersTimes: true)
    let outcome = try run("--only", "int8 n=1,int4+rank32", "--python", python)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("a word"))
    let version = try outcome.json()["machine"]["peers"]["onnxruntime"].string()
    #expect(version == "1.5")
    for row in try outcome.json()["rows"].array() {
      let peers = try row["peers"].object()
      if try row["weights"].string() != "int8" {
        #expect(peers.isEmpty)
        continue
      }
      #expect(peers.count >= 3)
      for peer in peers {
        #expect(peer.key.hasPrefix("Fake "))
        #expect(try peer.value["seconds"].double() == 0.25)
        #expect(try peer.value["of_limit"].double() > 0)
      }
    }
  }

  @Test("A peer whose process ends is told once and left out, and rows are there all the same")
  func brokenPeers() throws {
    let folder = try TemporaryFolder()
    let python = try fake(folder, answersTimes: false)
    let outcome = try run("--only", "int8 n=1", "--python", python)
    #expect(outcome.code == 0, "\(outcome.errors)")
    let rows = try outcome.json()["rows"].array()
    #expect(rows.count == 2)
    for row in rows { #expect(try row["peers"].object().isEmpty) }
    #expect(outcome.errors.contains("the process of torch ended"))
  }

  @Test(
    "A Python that was asked for and is not there is one error; without the usual one there are no peers"
  )
  func missingPython() throws {
    for name in ["/nowhere/python", "no-such-python"] {
      let refused = try run("--only", "int8 n=1", "--python", name)
      #expect(refused.code == 1 && refused.output.isEmpty)
      let lines = refused.errors.split(separator: "\n")
      #expect(lines.count == 2, "\(refused.errors)")
      #expect(lines.first?.contains("'\(name)'") == true, "\(refused.errors)")
      #expect(lines.last?.contains("--no-peers") == true, "\(refused.errors)")
    }
    let without = try Program.run(
      Self.small + ["--only", "int8 n=1"], environment: ["PATH": "/nowhere"])
    #expect(without.code == 0)
    #expect(without.errors == "no peers: there is no 'python3' on the path\n")
  }

  @Test("A model's library is measured")
  func model() throws {
    let folder = try TemporaryFolder()
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: Workbench.example, pipeline: "rtn-w8a8"))
    let arguments = ["bench", model, "--runs", "2", "--tokens", "4", "--json"]
    let outcome = try Program.run(arguments + ["--prompt-tokens", "8"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("lower: 100 %"))
    let result = try outcome.json()
    #expect(try result["weight_bytes"].int() > 100_000)
    #expect(try result["prompt_tokens"].int() == 8 && result["tokens"].int() == 4)
    #expect(try result["prefill_tokens_per_second"].double() > 0)
    #expect(try result["decode_tokens_per_second"].double() > 0)
  }

  @Test(
    "What does not fit a model's context is told",
    .enabled(if: Shared.model("stories260k") != nil, "stories260k is not in shared/"))
  func context() throws {
    let folder = try TemporaryFolder()
    let source = try #require(Shared.model("stories260k"))
    let model = try folder.write(
      "model.yaml", Workbench.modelFile(source: source, pipeline: "float"))
    let outcome = try Program.run(
      "bench", model, "--prompt-tokens", "60", "--tokens", "4", "--runs", "1", "--set",
      "passes.emit-c.context=63")
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("bench.context"))
  }

  @Test("The table has a line for each row")
  func table() throws {
    let outcome = try Program.run(
      Self.small.dropLast() + ["--no-peers", "--only", "int8 i8 n=8,hadamard f32"])
    #expect(outcome.code == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.hasPrefix("weights ") && $0.contains("of limit") })
    #expect(lines.contains { $0.hasPrefix("int8 ") && $0.contains("GOP/s") })
    #expect(lines.contains { $0.hasPrefix("hadamard ") && $0.contains("GB/s") })
  }
}
