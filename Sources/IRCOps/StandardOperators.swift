public import IRCGraph

extension OperatorRegistry {
  /// Every operator of this module.
  public static let standard = OperatorRegistry([
    Input.self, State.self, Parameter.self, Generated.self,
    Add.self, Multiply.self, Negate.self, Exponential.self, SiLU.self, ScaledSiLU.self,
    Softplus.self,
    Reshape.self, Slice.self, Transpose.self, Concatenate.self,
    ChannelScale.self, ChannelGather.self, ChannelMatmul.self, ChannelCentre.self,
    HadamardTransform.self,
    Embedding.self, Linear.self, RMSNorm.self, LayerNorm.self, Positions.self,
    RotaryEmbedding.self, Append.self, Attention.self, CausalConvolution.self, SelectiveScan.self,
    QuantizationParameters.self, Quantize.self, Dequantize.self,
    IntegerLinear.self, DequantizingLinear.self, DequantizingEmbedding.self, IntegerAttention.self,
    BranchingQuantize.self, BranchedIntegerLinear.self, BranchedDequantizingLinear.self,
  ])
}
