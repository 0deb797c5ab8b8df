import IRCExecution
import IRCSupport
import IRCTensor
import Synchronization

/// Fingerprints of the tensors of checkpoints, kept in the cache: one entry for each file, under what the file was.
final class DiskFingerprints: FingerprintMemory {
  private struct Table {
    var fingerprints: [FileWindow: SHA256.Digest] = [:]
    var isChanged = false
  }

  private let cache: ContentCache
  private let tables = Mutex<[FileIdentity: Table]>([:])

  init(_ cache: ContentCache) {
    self.cache = cache
  }

  func fingerprint(of window: FileWindow) -> SHA256.Digest? {
    tables.withLock { tables in
      if tables[window.file] == nil { tables[window.file] = read(window.file) }
      return tables[window.file]?.fingerprints[window]
    }
  }

  func keep(_ fingerprint: SHA256.Digest, of window: FileWindow) {
    // A file that is being changed might change once more and look the same.
    guard window.file.isSettled else { return }
    tables.withLock { tables in
      tables[window.file, default: Table()].fingerprints[window] = fingerprint
      tables[window.file]?.isChanged = true
    }
  }

  /// Writes what is new. What cannot be kept is computed again.
  func save() {
    tables.withLock { tables in
      for (file, table) in tables where table.isChanged {
        // Another process may have kept others meanwhile.
        let all = read(file).fingerprints.merging(table.fingerprints) { $1 }
        let lines = all.map { window, fingerprint in
          let shape = window.shape.map(String.init).joined(separator: "x")
          return
            "\(window.offset) \(window.type.rawValue) \(shape.isEmpty ? "-" : shape) \(fingerprint)\n"
        }
        cache.keep { try cache.put(Array(lines.sorted().joined().utf8), for: key(of: file)) }
        tables[file]?.isChanged = false
      }
    }
  }

  private func key(of file: FileIdentity) -> ContentKey {
    ContentKey("tensor-fingerprints 1", ["file": file.description])
  }

  private func read(_ file: FileIdentity) -> Table {
    var table = Table()
    let bytes = cache.get(key(of: file)) ?? []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: " ").map(String.init)
      guard parts.count == 4, let offset = Int(parts[0]),
        let type = ElementType(rawValue: parts[1]),
        let digest = SHA256.Digest(parts[3])
      else { continue }
      let shape = parts[2] == "-" ? [] : parts[2].split(separator: "x").compactMap { Int($0) }
      let window = FileWindow(file: file, offset: offset, type: type, shape: shape)
      table.fingerprints[window] = digest
    }
    return table
  }
}
