import CentreNorms
import EmitC
import FitValues
import FoldNormGains
import Foundation
import GPTQ
import IRCDriver
import IRCPipeline
import IRCTestSupport
import LowRankAbsorb
import LowerKernels
import QuantizeTensors
import RotationFusion
import SmoothFusion

/// What tests of the whole compiler start from.
enum Workbench {
  /// Path of the repository, the folder with `Package.swift`.
  static let repository = Shared.repository ?? "."
  /// The model that ships with the compiler, and the prose that goes with it.
  static let example = repository + "/examples/novels-mamba/novels-mamba-600k"
  static let prose = repository + "/examples/novels-mamba/prose.txt"

  /// The passes and shipped pipelines of the program.
  static func environment(cache: ContentCache? = nil) throws -> CompilerEnvironment {
    try CompilerEnvironment(
      plugins: [
        CentreNorms.self, EmitC.self, FitValues.self, FoldNormGains.self, GPTQ.self,
        LowRankAbsorb.self,
        LowerKernels.self, QuantizeTensors.self, RotationFusion.self, SmoothFusion.self,
      ],
      executable: repository + "/irc", reporter: Reporter(isQuiet: true), cache: cache)
  }

  /// Text of a model file.
  static func modelFile(source: String, pipeline: String, more: String = "") -> String {
    """
    irc: 1
    name: tested
    source: "\(source)"
    calibration: {text: "\(prose)", tokens: 2048}
    pipeline: \(pipeline)
    output: out
    \(more)
    \(more.contains("target:") ? "" : "target: portable")
    """
  }

  /// Reads a model file that is written into `folder`.
  static func plan(
    _ source: String, pipeline: String, settings: [String] = [], in folder: TemporaryFolder
  ) throws -> CompilationPlan {
    let path = try folder.write("model.yaml", modelFile(source: source, pipeline: pipeline))
    return try environment().plan(path, settings: settings)
  }
}
