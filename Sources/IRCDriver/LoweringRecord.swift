package import IRCSupport

/// What a run of `irc lower` read, wrote and said: if none of it has changed, the same run would change nothing.
package struct LoweringRecord: Sendable {
  /// What one pass did, for those who ask.
  struct PassRecord: Sendable {
    let instance: String
    /// Seconds that it took when it ran.
    let seconds: Double
    /// Counters and remarks, as the command shows them.
    let statistics: JSON
    let remarks: JSON
  }

  /// The output folder.
  package let output: String
  /// Size of the weights file; nil where none was written.
  package let weightBytes: Int?
  var inputs: [FileState]
  var outputs: [FileState]
  let folders: [FolderListing]
  let passRecords: [PassRecord]
  /// What the user was told.
  package let notes: [String]

  /// Seconds that all passes took when they ran.
  package var seconds: Double { passRecords.reduce(0) { $0 + $1.seconds } }

  /// The passes as the command's `passes`: none of them ran.
  package var passes: JSON {
    .array(
      passRecords.map { pass in
        .object([
          ("instance", .string(pass.instance)), ("seconds", .real(0)),
          ("earlier_seconds", .real(pass.seconds)), ("statistics", pass.statistics),
          ("remarks", pass.remarks),
        ])
      })
  }

  /// Compares everything with what is there now.
  ///
  /// - Returns: the record, refreshed where files were touched, and whether it was; nil if anything has changed.
  func compared(knownTo cache: ContentCache) -> (record: LoweringRecord, isRefreshed: Bool)? {
    for folder in folders where FolderListing(of: folder.path) != folder { return nil }
    var result = self
    var isRefreshed = false
    func refresh(_ states: inout [FileState]) -> Bool {
      for index in states.indices {
        switch states[index].compare(knownTo: cache) {
        case .same: continue
        case .touched(let state):
          isRefreshed = isRefreshed || state != states[index]
          states[index] = state
        case .changed: return false
        }
      }
      return true
    }
    guard refresh(&result.inputs), refresh(&result.outputs) else { return nil }
    return (result, isRefreshed)
  }

  // MARK: - Form

  var json: JSON {
    .object([
      ("output", .string(output)), ("weight_bytes", weightBytes.map(JSON.integer) ?? .null),
      ("inputs", .array(inputs.map(\.json))), ("outputs", .array(outputs.map(\.json))),
      ("folders", .array(folders.map(\.json))),
      (
        "passes",
        .array(
          passRecords.map {
            .object([
              ("instance", .string($0.instance)), ("seconds", .real($0.seconds)),
              ("statistics", $0.statistics), ("remarks", $0.remarks),
            ])
          })
      ), ("notes", .array(notes.map(JSON.string))),
    ])
  }

  init(
    output: String, weightBytes: Int?, inputs: [FileState], outputs: [FileState],
    folders: [FolderListing], passes: [PassRecord], notes: [String]
  ) {
    self.output = output
    self.weightBytes = weightBytes
    self.inputs = inputs
    self.outputs = outputs
    self.folders = folders
    passRecords = passes
    self.notes = notes
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: `Diagnostic` when it is something else.
  init(_ json: JSONValue) throws {
    output = try json["output"].string()
    weightBytes = try json.optional("weight_bytes")?.int()
    inputs = try json["inputs"].array().map { try FileState($0) }
    outputs = try json["outputs"].array().map { try FileState($0) }
    folders = try json["folders"].array().map { try FolderListing($0) }
    passRecords = try json["passes"].array().map {
      PassRecord(
        instance: try $0["instance"].string(), seconds: try $0["seconds"].double(),
        statistics: JSON(try $0["statistics"]), remarks: JSON(try $0["remarks"]))
    }
    notes = try json["notes"].array().map { try $0.string() }
  }
}
