import CIRCPlugin
import Foundation
import IRCGraph
import IRCPassKit
import IRCSupport
import Synchronization

/// One run of a pass of a C plugin: what the functions of the host work on.
///
/// A plugin knows it by a number only, so that one that it made up, or kept for too long, is no wild pointer.
///
/// SAFETY: the functions of the host come here on the thread of the run alone, which `find` checks; `problem` has a lock.
@safe
final class CPassCall: @unchecked Sendable {
  let pass: CPass
  /// The graph as the pass has made it so far.
  var graph: Graph
  /// Nil while options are checked.
  private let surroundings: PassContext?
  /// What was found last, and what is known of it.
  var sites: [Site] = []
  var transformed: Set<Int> = []
  var siteMoments: [Result<SiteMoments, any Error>] = []
  var siteMeasurements: Measurements?
  var weights: [CPassWeight] = []
  var rounded: Set<Int> = []
  var weightMeasurements: Measurements?
  private let thread = pthread_self()
  private let problem = Mutex<(any Error)?>(nil)
  private var texts: [String: UnsafeMutablePointer<CChar>] = unsafe [:]
  private var numbers: [UnsafeMutablePointer<Double>] = unsafe []
  private var tables: [String: UnsafeMutablePointer<Float>] = unsafe [:]

  private static let running = Mutex<(last: Int, calls: [Int: CPassCall])>((0, [:]))

  /// Prepares to check options.
  init(_ pass: CPass) {
    self.pass = pass
    graph = Graph(name: "none")
    surroundings = nil
  }

  /// Prepares to run.
  init(_ pass: CPass, on graph: Graph, in context: PassContext) {
    self.pass = pass
    self.graph = graph
    surroundings = context
  }

  deinit {
    unsafe texts.values.forEach { unsafe free($0) }
    unsafe tables.values.forEach { unsafe $0.deallocate() }
    forgetNumbers()
  }

  /// Calls a function of the plugin.
  ///
  /// - Throws: the first error of a function of the host that it called, or `PassError` if it gave up without one.
  func perform(_ body: (OpaquePointer?) -> Int32) throws {
    let number = Self.running.withLock { state in
      state.last += 1
      state.calls[state.last] = self
      return state.last
    }
    // Nobody has a pointer to anything at the first addresses.
    let status = unsafe body(OpaquePointer(bitPattern: number))
    Self.running.withLock { _ = $0.calls.removeValue(forKey: number) }
    if let error = problem.withLock({ $0 }) { throw error }
    if status != Int32(IRC_OK) {
      throw PassError(
        "the plugin gave up without a reason (it returned \(status))",
        hint: "whoever wrote it can say why with 'fail'")
    }
  }

  /// Lets a function of the host work for a run, unless that has failed already.
  ///
  /// - Returns: what the function is to return.
  static func serve(_ handle: OpaquePointer?, _ body: (CPassCall) throws -> Void) -> Int32 {
    let number = Int(bitPattern: handle)
    guard let call = running.withLock({ $0.calls[number] }) else { return Int32(IRC_FAILED) }
    do {
      if call.problem.withLock({ $0 != nil }) { return Int32(IRC_FAILED) }
      guard pthread_equal(call.thread, pthread_self()) != 0 else {
        throw PassError.misuse("a function of irc was called from another thread")
      }
      try body(call)
      return Int32(IRC_OK)
    } catch {
      call.problem.withLock { $0 = $0 ?? error }
      return Int32(IRC_FAILED)
    }
  }

  /// What the pass may see and say.
  ///
  /// - Throws: `PassError` while options are checked.
  var context: PassContext {
    get throws {
      if let surroundings { return surroundings }
      throw PassError.misuse("'check' can ask for options alone")
    }
  }

  /// The value of an option.
  ///
  /// - Throws: `PassError` when the description has none of that key.
  func option(_ key: String) throws -> CPassOption.Value {
    let options = pass.description.options
    guard let index = options.firstIndex(where: { $0.key == key }) else {
      throw PassError.misuse(
        "the plugin asks for an option '\(key)', which its description does not have")
    }
    return pass.values[index]
  }

  /// The patterns of an option.
  func patterns(_ key: String) throws -> [NamePattern] {
    guard case .patterns(let patterns) = try option(key) else {
      throw PassError.misuse("option '\(key)' is not of type 'patterns'")
    }
    return patterns
  }

  // MARK: Lending

  /// A text that stays until the run ends.
  func lend(_ text: String) -> UnsafePointer<CChar>? {
    if let known = unsafe texts[text] { return unsafe UnsafePointer(known) }
    let copy = unsafe strdup(text)
    unsafe texts[text] = copy
    return unsafe UnsafePointer(copy)
  }

  /// Numbers that stay until `forgetNumbers`.
  func lend(_ elements: [Double]) -> UnsafePointer<Double>? {
    let copy = UnsafeMutablePointer<Double>.allocate(capacity: max(1, elements.count))
    unsafe copy.initialize(from: elements, count: elements.count)
    unsafe numbers.append(copy)
    return unsafe UnsafePointer(copy)
  }

  /// The values of a format, which stay until the run ends.
  func lend(_ values: [Float], of format: String) -> UnsafePointer<Float>? {
    if let known = unsafe tables[format] { return unsafe UnsafePointer(known) }
    let copy = UnsafeMutablePointer<Float>.allocate(capacity: max(1, values.count))
    unsafe copy.initialize(from: values, count: values.count)
    unsafe tables[format] = copy
    return unsafe UnsafePointer(copy)
  }

  /// Takes back what was lent of the last measurement.
  func forgetNumbers() {
    unsafe numbers.forEach { unsafe $0.deallocate() }
    unsafe numbers = []
  }
}

extension PassError {
  /// An error of whoever wrote a plugin.
  static func misuse(_ message: String) -> PassError {
    PassError(message, hint: "the plugin is at fault, and not the model")
  }
}
