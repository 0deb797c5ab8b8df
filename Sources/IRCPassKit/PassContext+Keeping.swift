public import IRCGraph
package import IRCSupport
public import IRCTensor

/// Stands for the content of something that a kept result depends on.
public struct Fingerprint: Hashable, Sendable {
  /// Nil where nothing is kept, so that nobody computes it in vain.
  package let digest: SHA256.Digest?

  package init(_ digest: SHA256.Digest?) {
    self.digest = digest
  }
}

/// Which part of its surroundings a pass has looked at.
package struct Surroundings: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// What is known of the model.
  package static let model = Surroundings(rawValue: 1)
  /// The machine that code is made for.
  package static let target = Surroundings(rawValue: 2)
  /// The calibration text.
  package static let calibration = Surroundings(rawValue: 4)
}

/// What keeps results of parts of passes between runs of the program.
package protocol KeptTensors: Sendable {
  /// Fingerprint of what values are computed from: operations, attributes and the elements of parameters.
  func fingerprint(of values: [ValueID], in graph: Graph) throws -> Fingerprint
  /// Fingerprint of type, shape and elements.
  func fingerprint(of tensor: Tensor) throws -> Fingerprint
  /// Fingerprint of the token ids that passes measure on.
  func fingerprintOfCalibration() throws -> Fingerprint
  /// What was kept; nil if it is not there any more.
  func tensors(of action: KeptAction) -> [Tensor]?
  /// Keeps tensors, if there is room.
  func keep(_ tensors: [Tensor], of action: KeptAction)
}

/// Something that was computed from nothing but what it names.
package struct KeptAction: Hashable, Sendable {
  package let name: String
  package let version: Int
  package let inputs: [SHA256.Digest]
  package let options: [String]
}

extension PassContext {
  /// Stands for everything that constants or run-time values are computed from.
  public func fingerprint(of values: [ValueID], in graph: Graph) throws -> Fingerprint {
    try kept?.fingerprint(of: values, in: graph) ?? Fingerprint(nil)
  }

  /// Stands for a tensor's type, shape and elements.
  public func fingerprint(of tensor: Tensor) throws -> Fingerprint {
    try kept?.fingerprint(of: tensor) ?? Fingerprint(nil)
  }

  /// Stands for the calibration text as it is encoded and cut.
  ///
  /// - Throws: `PassError` when the model has no calibration text.
  public func fingerprintOfCalibration() throws -> Fingerprint {
    note(.calibration)
    return try kept?.fingerprintOfCalibration() ?? Fingerprint(nil)
  }

  /// The tensors that an earlier run of the same action left, else what `make` computes, which is kept.
  ///
  /// Worth it where computing takes much longer than reading the result again: inputs and result are hashed each time.
  /// May be called from several threads.
  ///
  /// - Parameters:
  ///   - action: what is done, in words; actions of different passes never meet.
  ///   - version: raised whenever the same inputs give another result than before.
  ///   - inputs: everything that the result depends on besides `options`, the compiler and the target. What is left out here is a wrong result later.
  ///   - options: settings that it depends on, as text.
  public func cached(
    _ action: String, version: Int, inputs: [Fingerprint], options: [String],
    _ make: () throws -> [Tensor]
  ) throws -> [Tensor] {
    let digests = inputs.compactMap(\.digest)
    guard let kept, digests.count == inputs.count else { return try make() }
    let pass = String(instance.prefix { $0 != "#" })
    let action = KeptAction(
      name: "\(pass)/\(action)", version: version, inputs: digests, options: options)
    if let known = kept.tensors(of: action) { return known }
    let made = try make()
    kept.keep(made, of: action)
    return made
  }
}
