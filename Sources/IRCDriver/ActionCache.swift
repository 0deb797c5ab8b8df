import IRCExecution
import IRCGraph
import IRCPassKit
import IRCSupport
import IRCTensor

/// Keeps results of parts of passes on disk.
struct ActionCache: KeptTensors {
  let basis: ResultBasis
  let calibration: CalibrationService

  func fingerprint(of values: [ValueID], in graph: Graph) throws -> Fingerprint {
    Fingerprint(try basis.fingerprints.fingerprint(of: graph.part(computing: values)))
  }

  func fingerprint(of tensor: Tensor) throws -> Fingerprint {
    Fingerprint(try basis.fingerprints.fingerprint(of: tensor))
  }

  func fingerprintOfCalibration() throws -> Fingerprint {
    Fingerprint(try calibration.textFingerprint())
  }

  func tensors(of action: KeptAction) -> [Tensor]? {
    guard let entry = basis.cache.entry(key(of: action)), let bundle = TensorBundle.read(entry)
    else { return nil }
    for item in bundle.items { basis.fingerprints.learn(item.fingerprint, of: item.tensor) }
    return bundle.items.map(\.tensor)
  }

  func keep(_ tensors: [Tensor], of action: KeptAction) {
    basis.keep {
      let items = try tensors.map { tensor in
        TensorBundle.Item(
          name: "", tensor: tensor, fingerprint: try basis.fingerprints.fingerprint(of: tensor))
      }
      try TensorBundle(.null, items).put(into: basis.cache, for: key(of: action))
    }
  }

  private func key(of action: KeptAction) -> ContentKey {
    ContentKey(
      "action-result 1",
      [
        "maker": basis.maker, "action": action.name, "version": "\(action.version)",
        "inputs": action.inputs.map(\.description).joined(separator: " "),
        "options": JSON.array(action.options.map(JSON.string)).serialized(),
      ])
  }
}
