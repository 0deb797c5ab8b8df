import EmitC
import FoldNormGains
import IRCPassKit
import InjectOutliers
import LowRankAbsorb
import LowerKernels
import QuantizeTensors
import RotationFusion
import SmoothFusion

/// The passes that are linked into `irc`. They have no door that a stranger's pass lacks.
let builtInPasses: [any Pass.Type] = [
  EmitC.self, FoldNormGains.self, InjectOutliers.self, LowRankAbsorb.self, LowerKernels.self,
  QuantizeTensors.self, RotationFusion.self, SmoothFusion.self,
]
