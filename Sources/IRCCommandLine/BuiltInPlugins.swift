import AWQ
import CentreNorms
import ClipSearch
import EmitC
import FitValues
import FoldNormGains
import GPTQ
import IRCPassKit
import InjectOutliers
import LowRankAbsorb
import LowerKernels
import MixedPrecision
import QuantizeTensors
import RotationFusion
import SmoothFusion

/// The passes and components that are linked into every `irc`. They have no door that a stranger's lack.
let builtInPlugins: [any Plugin.Type] = [
  // Passes.
  AWQ.self, CentreNorms.self, ClipSearch.self, EmitC.self, FitValues.self, FoldNormGains.self,
  GPTQ.self, InjectOutliers.self, LowRankAbsorb.self, LowerKernels.self, MixedPrecision.self,
  QuantizeTensors.self, RotationFusion.self, SmoothFusion.self,
  // Sensitivity metrics.
  LogitDivergenceMetric.self, LogitNoiseMetric.self, OutputErrorMetric.self,
  WeightErrorMetric.self,
  // Allocation solvers.
  ExactSolver.self, GreedySolver.self,
]
