import IRCGraph
import IRCOps
import IRCTensor

/// Small networks of the kinds that the analysis has to deal with, written out as text; weights are made up from names.
public enum SampleNetworks {
  /// A pre-norm transformer block of width 8 with four query heads and two key heads of width 4, rotary, and a gated layer of 12.
  public static let transformer = """
    irc.graph @"transformer" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %past = state "position" : i32[1]
      %kc = state "keys" : f32[past, 8]
      %vc = state "values" : f32[past, 8]
      %pos, %nextpos = positions %ids, %past : i32[tokens], i32[1]
      %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
      %x = embedding %ids, %table : f32[tokens, 8]
      %n = rms_norm %x {epsilon = 1e-05} : f32[tokens, 8]
      %wq = param "q.weight" {shape = [16, 8], stored = f32} : f32[16, 8]
      %wk = param "k.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %wv = param "v.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %bv = param "v.bias" {shape = [8], stored = f32} : f32[8]
      %q0 = linear %n, %wq : f32[tokens, 16]
      %k0 = linear %n, %wk : f32[tokens, 8]
      %v = linear %n, %wv, %bv : f32[tokens, 8]
      %q = rope %q0, %pos {head_dim = 4, theta = 100.0} : f32[tokens, 16]
      %k = rope %k0, %pos {head_dim = 4, theta = 100.0} : f32[tokens, 8]
      %ks = append %kc, %k : f32[past+tokens, 8]
      %vs = append %vc, %v : f32[past+tokens, 8]
      %a = attention %q, %ks, %vs {heads = 4, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 16]
      %wo = param "o.weight" {shape = [8, 16], stored = f32} : f32[8, 16]
      %o = linear %a, %wo : f32[tokens, 8]
      %r = add %x, %o : f32[tokens, 8]
      %m = rms_norm %r {epsilon = 1e-05} : f32[tokens, 8]
      %wg = param "gate.weight" {shape = [12, 8], stored = f32} : f32[12, 8]
      %wu = param "up.weight" {shape = [12, 8], stored = f32} : f32[12, 8]
      %g = linear %m, %wg : f32[tokens, 12]
      %u = linear %m, %wu : f32[tokens, 12]
      %s = silu %g : f32[tokens, 12]
      %p = mul %s, %u : f32[tokens, 12]
      %wd = param "down.weight" {shape = [8, 12], stored = f32} : f32[8, 12]
      %d = linear %p, %wd : f32[tokens, 8]
      %t = add %r, %d : f32[tokens, 8]
      %f = rms_norm %t {epsilon = 1e-05} : f32[tokens, 8]
      %y = linear %f, %table : f32[tokens, 16]
      next "position" = %nextpos
      next "keys" = %ks
      next "values" = %vs
      output "logits" = %y
    }
    """

  /// A gated state space block of width 8, 12 channels, 4 states and rank 4.
  public static let stateSpace = """
    irc.graph @"state-space" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %cs = state "conv" : f32[2, 12]
      %hs = state "scan" : f32[12, 4]
      %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
      %r = embedding %ids, %table : f32[tokens, 8]
      %n = rms_norm %r {epsilon = 1e-05} : f32[tokens, 8]
      %wi = param "in.weight" {shape = [24, 8], stored = f32} : f32[24, 8]
      %xz = linear %n, %wi : f32[tokens, 24]
      %x = slice %xz {axis = 1, lower = 0, upper = 12} : f32[tokens, 12]
      %z = slice %xz {axis = 1, lower = 12, upper = 24} : f32[tokens, 12]
      %wc = param "conv.weight" {shape = [12, 3], stored = f32} : f32[12, 3]
      %bc = param "conv.bias" {shape = [12], stored = f32} : f32[12]
      %c, %cn = causal_conv %x, %cs, %wc, %bc : f32[tokens, 12], f32[2, 12]
      %u = silu %c : f32[tokens, 12]
      %wx = param "x.weight" {shape = [12, 12], stored = f32} : f32[12, 12]
      %dbc = linear %u, %wx : f32[tokens, 12]
      %d0 = slice %dbc {axis = 1, lower = 0, upper = 4} : f32[tokens, 4]
      %b = slice %dbc {axis = 1, lower = 4, upper = 8} : f32[tokens, 4]
      %cc = slice %dbc {axis = 1, lower = 8, upper = 12} : f32[tokens, 4]
      %wt = param "dt.weight" {shape = [12, 4], stored = f32} : f32[12, 4]
      %bt = param "dt.bias" {shape = [12], stored = f32} : f32[12]
      %d1 = linear %d0, %wt, %bt : f32[tokens, 12]
      %delta = softplus %d1 : f32[tokens, 12]
      %al = param "rates" {shape = [12, 4], stored = f32} : f32[12, 4]
      %ae = exp %al : f32[12, 4]
      %a = neg %ae : f32[12, 4]
      %skip = param "skip" {shape = [12], stored = f32} : f32[12]
      %y, %hn = selective_scan %u, %delta, %a, %b, %cc, %skip, %hs : f32[tokens, 12], f32[12, 4]
      %zs = silu %z : f32[tokens, 12]
      %g = mul %y, %zs : f32[tokens, 12]
      %wo = param "out.weight" {shape = [8, 12], stored = f32} : f32[8, 12]
      %o = linear %g, %wo : f32[tokens, 8]
      %s = add %r, %o : f32[tokens, 8]
      %f = rms_norm %s {epsilon = 1e-05} : f32[tokens, 8]
      %w = param "head.weight" {shape = [16, 8], stored = f32} : f32[16, 8]
      %l = linear %f, %w : f32[tokens, 16]
      next "conv" = %cn
      next "scan" = %hn
      output "logits" = %l
    }
    """

  /// A pre-norm block of width 8 with layer normalisations, biases everywhere, learned positions, two heads of width 4 and a
  /// head that shares the table of the embedding.
  public static let layerNorms = """
    irc.graph @"layer-norms" {stage = "float"} {
      %ids = input "ids" : i32[tokens]
      %past = state "position" : i32[1]
      %kc = state "keys" : f32[past, 8]
      %vc = state "values" : f32[past, 8]
      %pos, %nextpos = positions %ids, %past : i32[tokens], i32[1]
      %table = param "table" {shape = [16, 8], stored = f32} : f32[16, 8]
      %places = param "places" {shape = [12, 8], stored = f32} : f32[12, 8]
      %word = embedding %ids, %table : f32[tokens, 8]
      %place = embedding %pos, %places : f32[tokens, 8]
      %x = add %word, %place : f32[tokens, 8]
      %g1 = param "first.gain" {shape = [8], stored = f32} : f32[8]
      %b1 = param "first.bias" {shape = [8], stored = f32} : f32[8]
      %n = layer_norm %x, %g1, %b1 {epsilon = 1e-05} : f32[tokens, 8]
      %wq = param "q.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %bq = param "q.bias" {shape = [8], stored = f32} : f32[8]
      %wk = param "k.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %wv = param "v.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %bv = param "v.bias" {shape = [8], stored = f32} : f32[8]
      %q = linear %n, %wq, %bq : f32[tokens, 8]
      %k = linear %n, %wk : f32[tokens, 8]
      %v = linear %n, %wv, %bv : f32[tokens, 8]
      %ks = append %kc, %k : f32[past+tokens, 8]
      %vs = append %vc, %v : f32[past+tokens, 8]
      %a = attention %q, %ks, %vs {heads = 2, kv_heads = 2, scale = 0.5, window = 0} : f32[tokens, 8]
      %wo = param "o.weight" {shape = [8, 8], stored = f32} : f32[8, 8]
      %bo = param "o.bias" {shape = [8], stored = f32} : f32[8]
      %o = linear %a, %wo, %bo : f32[tokens, 8]
      %r = add %x, %o : f32[tokens, 8]
      %g2 = param "second.gain" {shape = [8], stored = f32} : f32[8]
      %b2 = param "second.bias" {shape = [8], stored = f32} : f32[8]
      %m = layer_norm %r, %g2, %b2 {epsilon = 1e-05} : f32[tokens, 8]
      %wu = param "up.weight" {shape = [12, 8], stored = f32} : f32[12, 8]
      %bu = param "up.bias" {shape = [12], stored = f32} : f32[12]
      %u = linear %m, %wu, %bu : f32[tokens, 12]
      %s = silu %u : f32[tokens, 12]
      %wd = param "down.weight" {shape = [8, 12], stored = f32} : f32[8, 12]
      %bd = param "down.bias" {shape = [8], stored = f32} : f32[8]
      %d = linear %s, %wd, %bd : f32[tokens, 8]
      %t = add %r, %d : f32[tokens, 8]
      %g3 = param "last.gain" {shape = [8], stored = f32} : f32[8]
      %b3 = param "last.bias" {shape = [8], stored = f32} : f32[8]
      %f = layer_norm %t, %g3, %b3 {epsilon = 1e-05} : f32[tokens, 8]
      %y = linear %f, %table : f32[tokens, 16]
      next "position" = %nextpos
      next "keys" = %ks
      next "values" = %vs
      output "logits" = %y
    }
    """

  /// A graph whose parameters have values.
  public static func graph(_ text: String) throws -> Graph {
    var graph = try GraphParser.parse(text, file: "sample.irc", registry: .standard)
    var tensors = NamedTensors()
    for (_, op) in graph.operations(of: Parameter.self) { tensors.add(random: op.name, op.shape) }
    graph.parameters = tensors
    return graph
  }
}
