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

/// The passes that are linked into every `irc`. They have no door that a stranger's pass lacks.
let builtInPasses: [any Pass.Type] = [
  AWQ.self, CentreNorms.self, ClipSearch.self, EmitC.self, FitValues.self, FoldNormGains.self,
  GPTQ.self,
  InjectOutliers.self, LowRankAbsorb.self, LowerKernels.self, MixedPrecision.self,
  QuantizeTensors.self, RotationFusion.self, SmoothFusion.self,
]
