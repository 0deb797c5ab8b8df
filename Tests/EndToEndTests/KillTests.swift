import Foundation
import IRCTensor
import IRCTestSupport
import Testing

@Suite("Killed at any moment")
struct KillTests {
  private static let settings = 5
  private static let kills = 10

  @Test("50 kills at random points leave nothing that a later run stumbles over")
  func kills() throws {
    let folder = try TemporaryFolder()
    let text = Workbench.modelFile(
      source: Workbench.example,
      pipeline:
        "[fold-norm-gains, smooth-fusion: {sites: [norm]}, quantize: {scheme: w4a8}, gptq, lower-kernels, emit-c]"
    ).replacing("tokens: 2048", with: "tokens: 512, window: 64")
    let model = try folder.write("model.yaml", text)
    let output = folder.file("out")
    let environment = ["IRC_CACHE_DIR": folder.file("cache")]
    let random = RandomNumbers(seed: 0xDEAD)
    /// What each file of the output may hold.
    var allowed: [String: Set<Data>] = [:]
    for setting in 0..<Self.settings {
      // Another value each time, so that there is always something to compute.
      let arguments = ["lower", model, "--quiet", "--set", "calibration.seed=\(setting)", "-o"]
      let start = Date()
      let plain = try Program.run(arguments + [folder.file("plain"), "--no-cache"])
      let seconds = Date().timeIntervalSince(start)
      #expect(plain.code == 0, "\(plain.errors)")
      // The file with dependencies names its folder.
      let expected = try contents(of: folder.file("plain")).filter { !$0.key.hasSuffix(".d") }
      for (name, content) in expected { allowed[name, default: []].insert(content) }
      for kill in 0..<Self.kills {
        let running = try Program.start(arguments + [output], environment: environment)
        Thread.sleep(forTimeInterval: random.uniform(setting * Self.kills + kill) * seconds)
        running.kill()
        let outcome = try running.wait()
        #expect(outcome.code == -SIGKILL || outcome.code == 0, "\(outcome.errors)")
        for (name, content) in (try? contents(of: output)) ?? [:]
        where !name.hasPrefix(".") && !name.hasSuffix(".d") {
          #expect(allowed[name]?.contains(content) == true, "'\(name)' is half-written")
        }
      }
      let finished = try Program.run(arguments + [output], environment: environment)
      #expect(finished.code == 0 && finished.errors.isEmpty, "\(finished.errors)")
      // What the killed ones had not finished stays for an hour, beside the output.
      let left = try contents(of: output).filter { !$0.key.contains(".partial") }
      #expect(left.filter { !$0.key.hasSuffix(".d") } == expected)
      #expect(
        try Set(left.keys) == Set(contents(of: folder.file("plain")).keys),
        "files \(left.keys.sorted())")
    }
  }
}
