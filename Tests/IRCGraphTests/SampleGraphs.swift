import IRCGraph
import IRCOps

/// Texts that several tests read, printed exactly as `Graph.text` prints them.
enum SampleGraphs {
  /// Every operator on real numbers, each in a form that uses its optional operands and its attributes.
  static let float = #"""
    irc.graph @"every operator" {stage = "float", facts = ["norm-gains-folded", "untied"]} {
      %0 = input "ids" : i32[tokens]
      %1 = state "position" : i32[1]
      %2 = state "cache" : f32[past, 8]
      %3 = state "conv" : f32[3, 8]
      %4 = state "scan" : f32[8, 2]
      %5 = param "embed" {shape = [16, 8], stored = f16} : f32[16, 8]  loc(checkpoint("embed"))
      %6 = generated {shape = [8], values = splat(1.0)} : f32[8]  loc("model.yaml":4:9)
      %7 = generated {shape = [8, 8], values = random(7, 1e-05)} : f32[8, 8]  loc(pass("fold#1", checkpoint("q")))
      %8 = generated {shape = [2, 2], values = inline(1.0, -0.5, 1e+16, 5e-324)} : f32[2, 2]
      %9 = generated {shape = [8], values = iota} : f32[8]
      %10 = embedding %0, %5 : f32[tokens, 8]
      %11, %12 = positions %0, %1 : i32[tokens], i32[1]
      %13 = rms_norm %10, %6 {epsilon = 1e-06} : f32[tokens, 8]
      %14 = linear %13, %7, %9 : f32[tokens, 8]
      %15 = rope %14, %11 {head_dim = 4, theta = 10000.0} : f32[tokens, 8]
      %16 = append %2, %15 : f32[past+tokens, 8]
      %17 = attention %15, %16, %16 {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      %18 = add %10, %17 : f32[tokens, 8]
      %19 = mul %18, %6 : f32[tokens, 8]
      %20 = neg %19 : f32[tokens, 8]
      %21 = exp %20 : f32[tokens, 8]
      %22 = silu %21 : f32[tokens, 8]
      %23 = softplus %22 : f32[tokens, 8]
      %24 = param "conv" {shape = [8, 1, 4], stored = f32} : f32[8, 1, 4]
      %25 = reshape %24 {shape = [8, 4]} : f32[8, 4]
      %26, %27 = causal_conv %23, %3, %25, %6 : f32[tokens, 8], f32[3, 8]
      %28 = slice %26 {axis = 1, lower = 0, upper = 2} : f32[tokens, 2]
      %29 = generated {shape = [2, 8], values = random(-1, 0.5)} : f32[2, 8]
      %30 = transpose %29 {order = [1, 0]} : f32[8, 2]
      %31, %32 = selective_scan %26, %23, %30, %28, %28, %6, %4 : f32[tokens, 8], f32[8, 2]
      %33 = concat %31, %28 {axis = 1} : f32[tokens, 10]
      %34 = param "order" {shape = [8], stored = i32} : i32[8]
      %35 = channel_gather %31, %34 {axis = 1} : f32[tokens, 8]
      %36 = channel_scale %35, %6 {axis = 1, inverse = true} : f32[tokens, 8]
      %37 = generated {shape = [2, 2, 2], values = random(3, 1.0)} : f32[2, 2, 2]
      %38 = channel_matmul %36, %37 {axis = 1, repeats = 2, transposed = true, orthogonal = false} : f32[tokens, 8]
      %39 = hadamard %38 {axis = 1, block = 4, seed = -3, transposed = false} : f32[tokens, 8]
      %40 = hadamard %39 {axis = 1, block = 8, seed = none, transposed = true} : f32[tokens, 8]
      %41 = scaled_silu %40, %6 : f32[tokens, 8]
      %42 = channel_centre %39 {axis = 1} : f32[tokens, 8]
      %43 = layer_norm %42, %6, %9 {epsilon = 1e-05} : f32[tokens, 8]
      next "position" = %12
      next "cache" = %16
      next "conv" = %27
      next "scan" = %32
      output "logits" = %33
      output "transformed" = %41
    }

    """#

  /// Every operator on codes, symmetric and asymmetric, with and without bias.
  static let kernels = #"""
    irc.graph @"codes" {stage = "kernels"} {
      %0 = input "ids" : i32[tokens]
      %1 = param "embed" {shape = [16, 8], stored = bf16} : f32[16, 8]  loc(checkpoint("embed"))
      %2, %3 = quant_params %1 {format = int4, granularity = group(3), symmetric = false, scales = f16} : f32[16, 3], i8[16, 3]
      %4 = quantize %1, %2, %3 {format = int4, granularity = group(3), symmetric = false, scales = f16} : i8[16, 8]
      %5 = dequantize %4, %2, %3 {format = int4, granularity = group(3), symmetric = false, scales = f16} : f32[16, 8]
      %6 = dequantizing_embedding %0, %4, %2, %3 {weights = quantized(int4, group(3), false, f16)} : f32[tokens, 8]
      %7 = generated {shape = [16], values = iota} : f32[16]
      %8 = dequantizing_linear %6, %4, %2, %3, %7 {weights = quantized(int4, group(3), false, f16), bias = true} : f32[tokens, 16]
      %9 = quant_params %6 {format = int8, granularity = row, symmetric = true, scales = f32} : f32[tokens, 1]
      %10 = quantize %6, %9 {format = int8, granularity = row, symmetric = true, scales = f32} : i8[tokens, 8]
      %11 = integer_linear %10, %9, %4, %2, %3 {weights = quantized(int4, group(3), false, f16), activations = quantized(int8, row, true, f32), bias = false} : f32[tokens, 16]
      %12 = add %8, %11 : f32[tokens, 16]
      %13 = linear %6, %5 : f32[tokens, 16]
      %14 = generated {shape = [2, 8], values = iota} : f32[2, 8]
      %15, %16, %17 = branching_quantize %6, %14 {format = int8, granularity = row, symmetric = true, scales = f32, dynamic = true} : i8[tokens, 8], f32[tokens, 1], f32[tokens, 2]
      %18 = generated {shape = [16, 2], values = iota} : f32[16, 2]
      %19 = branched_integer_linear %15, %16, %4, %2, %3, %17, %18 {weights = quantized(int4, group(3), false, f16), activations = quantized(int8, row, true, f32), bias = false} : f32[tokens, 16]
      %20 = branched_dequantizing_linear %6, %4, %2, %3, %7, %17, %18 {weights = quantized(int4, group(3), false, f16), bias = true} : f32[tokens, 16]
      %21 = quant_params %6 {format = int8, granularity = group(4), symmetric = true, scales = f32} : f32[tokens, 2]
      %22 = quantize %6, %21 {format = int8, granularity = group(4), symmetric = true, scales = f32} : i8[tokens, 8]
      %23 = integer_attention %6, %22, %21, %22, %21 {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      output "sum" = %12
      output "simulation" = %13
      output "branched" = %19
      output "branched real" = %20
      output "attended" = %23
    }

    """#

  /// The smallest graph that computes something.
  static let small = #"""
    irc.graph @"small" {stage = "float"} {
      %0 = input "x" : f32[tokens, 4]
      %1 = generated {shape = [4, 4], values = iota} : f32[4, 4]
      %2 = linear %0, %1 : f32[tokens, 4]
      output "y" = %2
    }

    """#

  static func parse(_ text: String) throws -> Graph {
    try GraphParser.parse(text, file: "test.irc", registry: .standard)
  }
}
