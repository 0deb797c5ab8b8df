import CKernels

/// The processors that a benchmark runs on.
package enum Processors {
  /// Keeps this thread, and threads and processes that it starts, to the last processors that it may use: the first ones are where
  /// the system does its own work.
  ///
  /// - Returns: those processors; none if there are not so many or the system does not allow it.
  package static func pin(_ count: Int) -> [UInt32] {
    var allowed = [UInt32](repeating: 0, count: 1024)
    let found = unsafe irc_allowed_processors(&allowed, allowed.count)
    if found < count { return [] }
    let chosen = Array(allowed[..<found].suffix(count))
    return unsafe irc_pin_thread(chosen, chosen.count) ? chosen : []
  }
}
