import CKernels
import Foundation
import IRCSupport

/// Everything to compare with.
final class Peers {
  private var families: [PeerFamily] = []
  /// Versions of what was found, by family.
  private(set) var versions: [(key: String, value: JSON)] = []
  private let tell: (String) -> Void
  private var opened: [Peer] = []

  /// One of them, with its ring.
  struct Peer {
    let name: String
    let byteCount: Int
    fileprivate let family: PeerFamily
  }

  /// Starts what there is; what is missing is told, and the rest goes on.
  ///
  /// - Parameters:
  ///   - isas: what oneDNN is held to, each in a process of its own.
  ///   - tell: receives a line for the user.
  init(python: String?, threads: Int, isas: [String], tell: @escaping (String) -> Void) {
    self.tell = tell
    guard let python else { return }
    var started: [PeerFamily] = []
    func start(_ name: String, _ family: String, _ environment: [String: String] = [:]) {
      let start = PeerFamily.Start(
        python: python, family: family, threads: threads, environment: environment)
      do {
        started.append(try PeerFamily(name: name, start))
      } catch {
        tell("no peers of \(name): \(Peers.message(error))")
      }
    }
    start("onnxruntime", "onnxruntime")
    start("torch", "torch")
    for isa in isas { start("torch, oneDNN held to \(isa)", "torch", ["ONEDNN_MAX_CPU_ISA": isa]) }
    start("llama.cpp", "ggml")
    for family in started {
      do {
        let (version, notes) = try family.greet()
        versions.append((family.name, .string(version)))
        families.append(family)
        for note in notes { tell("\(family.name): \(note)") }
      } catch {
        versions.append((family.name, .null))
        tell("no peers of \(family.name): \(Peers.message(error))")
      }
    }
  }

  /// Makes the rings of all peers of a format; returns those that there are.
  func open(_ format: WeightFormat, _ shape: MatrixShape, ringBytes: Int) -> [Peer] {
    opened = families.flatMap { family in
      do {
        let (peers, notes) = try family.open(format, shape, ringBytes: ringBytes)
        for note in notes { tell("\(family.name): \(note)") }
        return peers.map {
          Peer(name: $0.name, byteCount: $0.facts.byteCount, family: family)
        }
      } catch {
        tell("no peers of \(family.name): \(Peers.message(error))")
        families.removeAll { $0 === family }
        return []
      }
    }
    return opened
  }

  /// Seconds of one product; nil when the peer cannot do it, which is told once.
  func time(_ peer: Peer, n: Int, for duration: Double) -> Double? {
    do {
      return try peer.family.time(peer.name, n: n, for: duration)
    } catch {
      tell("\(peer.name): \(Peers.message(error))")
      return nil
    }
  }

  private static func message(_ error: any Error) -> String {
    (error as? Diagnostic)?.message ?? "\(error)"
  }
}
