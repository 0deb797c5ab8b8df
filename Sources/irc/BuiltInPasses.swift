import EmitC
import FoldNormGains
import IRCPassKit
import LowerKernels
import QuantizeTensors

/// The passes that are linked into `irc`. They have no door that a stranger's pass lacks.
let builtInPasses: [any Pass.Type] = [
  EmitC.self, FoldNormGains.self, LowerKernels.self, QuantizeTensors.self,
]
