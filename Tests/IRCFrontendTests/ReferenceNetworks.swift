import Foundation

/// A matrix of doubles with the few things that a forward pass needs: written from the papers, without the graph.
struct Matrix {
  var rows: [[Double]]

  /// x·Wᵀ + b, with W stored [outputs, inputs].
  func linear(_ weight: [Double], _ bias: [Double]?) -> Matrix {
    var result = self
    for (index, row) in rows.enumerated() {
      let width = row.count
      result.rows[index] = (0..<weight.count / width).map { output in
        var sum = bias?[output] ?? 0
        for column in 0..<width { sum += row[column] * weight[output * width + column] }
        return sum
      }
    }
    return result
  }

  func norm(_ gain: [Double], _ epsilon: Double) -> Matrix {
    Matrix(
      rows: rows.map { row in
        let mean = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
        return zip(row, gain).map { $0 / (mean + epsilon).squareRoot() * $1 }
      })
  }

  static func + (a: Matrix, b: Matrix) -> Matrix { combine(a, b, +) }

  static func combine(_ a: Matrix, _ b: Matrix, _ f: (Double, Double) -> Double) -> Matrix {
    Matrix(rows: zip(a.rows, b.rows).map { zip($0, $1).map(f) })
  }

  func map(_ f: (Double) -> Double) -> Matrix { Matrix(rows: rows.map { $0.map(f) }) }

  func columns(_ range: Range<Int>) -> Matrix { Matrix(rows: rows.map { Array($0[range]) }) }
}

/// Logits of the tiny models, computed in double precision.
enum ReferenceNetworks {
  static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

  private static func embed(_ ids: [Int32], _ table: [Double], _ width: Int) -> Matrix {
    Matrix(rows: ids.map { Array(table[Int($0) * width..<(Int($0) + 1) * width]) })
  }

  /// A network of the Llama family; `windows` are the keys that each layer's queries see, 0 for all.
  static func llama(
    _ model: TinyModel, _ ids: [Int32], theta: Double = 500, windows: [Int] = [0, 0, 0]
  ) throws -> Matrix {
    let (values, size) = (model.values, TinyModel.llama)
    func tensor(_ name: String) throws -> [Double] {
      guard let tensor = values[name] else { throw MissingTensor(name: name) }
      return tensor
    }
    func linear(_ x: Matrix, _ name: String) throws -> Matrix {
      x.linear(try tensor("\(name).weight"), values["\(name).bias"])
    }
    // The real and the imaginary part of a pair are half a head apart.
    func rotate(_ x: Matrix) -> Matrix {
      let half = size.head / 2
      return Matrix(
        rows: x.rows.enumerated().map { position, row in
          var turned = row
          for head in 0..<row.count / size.head {
            for pair in 0..<half {
              let angle = Double(position) * pow(theta, -2 * Double(pair) / Double(size.head))
              let (a, b) = (head * size.head + pair, head * size.head + pair + half)
              turned[a] = row[a] * cos(angle) - row[b] * sin(angle)
              turned[b] = row[b] * cos(angle) + row[a] * sin(angle)
            }
          }
          return turned
        })
    }
    func attend(_ q: Matrix, _ k: Matrix, _ v: Matrix, window: Int) -> Matrix {
      var result = q
      for token in q.rows.indices {
        let first = window == 0 ? 0 : max(0, token + 1 - window)
        for head in 0..<size.heads {
          let own = head * size.head
          let group = head / (size.heads / size.keys) * size.head
          var weights: [Double] = []
          for other in first...token {
            var score = 0.0
            for channel in 0..<size.head {
              score += q.rows[token][own + channel] * k.rows[other][group + channel]
            }
            weights.append(exp(score / Double(size.head).squareRoot()))
          }
          let total = weights.reduce(0, +)
          for channel in 0..<size.head {
            var sum = 0.0
            for (weight, other) in zip(weights, first...token) {
              sum += weight / total * v.rows[other][group + channel]
            }
            result.rows[token][own + channel] = sum
          }
        }
      }
      return result
    }

    let table = try values["model.embed_tokens.weight"] ?? tensor("lm_head.weight")
    var stream = embed(ids, table, size.hidden)
    for layer in 0..<size.layers {
      let prefix = "model.layers.\(layer)"
      let x = stream.norm(try tensor("\(prefix).input_layernorm.weight"), 1e-5)
      let attended = attend(
        rotate(try linear(x, "\(prefix).self_attn.q_proj")),
        rotate(try linear(x, "\(prefix).self_attn.k_proj")),
        try linear(x, "\(prefix).self_attn.v_proj"), window: windows[layer])
      stream = stream + (try linear(attended, "\(prefix).self_attn.o_proj"))
      let y = stream.norm(try tensor("\(prefix).post_attention_layernorm.weight"), 1e-5)
      let gated = Matrix.combine(
        try linear(y, "\(prefix).mlp.gate_proj").map(silu), try linear(y, "\(prefix).mlp.up_proj"),
        *)
      stream = stream + (try linear(gated, "\(prefix).mlp.down_proj"))
    }
    return stream.norm(try tensor("model.norm.weight"), 1e-5)
      .linear(values["lm_head.weight"] ?? table, nil)
  }

  /// A Mamba-1 network.
  static func mamba(
    _ model: TinyModel, _ ids: [Int32], table: String = "backbone.embeddings.weight"
  ) throws -> Matrix {
    let (values, size) = (model.values, TinyModel.mamba)
    func tensor(_ name: String) throws -> [Double] {
      guard let tensor = values[name] else { throw MissingTensor(name: name) }
      return tensor
    }
    let words = try tensor(table)
    var stream = embed(ids, words, size.hidden)
    for layer in 0..<size.layers {
      let prefix = "backbone.layers.\(layer)"
      func linear(_ x: Matrix, _ name: String) throws -> Matrix {
        x.linear(
          try tensor("\(prefix).mixer.\(name).weight"), values["\(prefix).mixer.\(name).bias"])
      }
      let both = try linear(
        stream.norm(try tensor("\(prefix).norm.weight"), 1e-5), "in_proj")
      let x = both.columns(0..<size.inner)
      let gate = both.columns(size.inner..<2 * size.inner).map(silu)
      let taps = try tensor("\(prefix).mixer.conv1d.weight")
      let shift = values["\(prefix).mixer.conv1d.bias"]
      var u = x
      for token in ids.indices {
        for channel in 0..<size.inner {
          var sum = shift?[channel] ?? 0
          for tap in 0..<size.taps where token + tap >= size.taps - 1 {
            sum += taps[channel * size.taps + tap] * x.rows[token + tap - size.taps + 1][channel]
          }
          u.rows[token][channel] = silu(sum)
        }
      }
      let mixed = try linear(u, "x_proj")
      let delta = try linear(mixed.columns(0..<size.rank), "dt_proj")
        .map { max($0, 0) + log1p(exp(-abs($0))) }
      let b = mixed.columns(size.rank..<size.rank + size.states)
      let c = mixed.columns(size.rank + size.states..<size.rank + 2 * size.states)
      let rates = try tensor("\(prefix).mixer.A_log").map { -exp($0) }
      let skip = try tensor("\(prefix).mixer.D")
      var state = [Double](repeating: 0, count: size.inner * size.states)
      var y = u
      for token in ids.indices {
        for channel in 0..<size.inner {
          let (step, input) = (delta.rows[token][channel], u.rows[token][channel])
          var sum = skip[channel] * input
          for index in 0..<size.states {
            let place = channel * size.states + index
            state[place] =
              exp(step * rates[place]) * state[place] + step * b.rows[token][index] * input
            sum += c.rows[token][index] * state[place]
          }
          y.rows[token][channel] = sum
        }
      }
      stream = stream + (try linear(Matrix.combine(y, gate, *), "out_proj"))
    }
    return stream.norm(try tensor("backbone.norm_f.weight"), 1e-5)
      .linear(values["lm_head.weight"] ?? words, nil)
  }

  struct MissingTensor: Error {
    let name: String
  }
}
