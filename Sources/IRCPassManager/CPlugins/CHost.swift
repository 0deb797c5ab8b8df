import CIRCPlugin
import IRCPassKit

/// The table of functions that C plugins are given; `irc_plugin.h` says what each does.
enum CHost {
  /// The one table; made once and never freed.
  static var table: UnsafePointer<irc_host> { unsafe shared.table }

  @safe private struct Shared: Sendable {
    // SAFETY: written before it is shared, and only read afterwards.
    nonisolated(unsafe) let table: UnsafePointer<irc_host>
  }

  private static let shared: Shared = {
    let table = UnsafeMutablePointer<irc_host>.allocate(capacity: 1)
    unsafe table.initialize(to: irc_host())
    unsafe table.pointee.struct_size = UInt32(MemoryLayout<irc_host>.size)
    unsafe table.pointee.api_major = IRC_PLUGIN_API_MAJOR
    unsafe table.pointee.api_minor = IRC_PLUGIN_API_MINOR
    unsafe addTalk(&table.pointee)
    unsafe addSites(&table.pointee)
    unsafe addWeights(&table.pointee)
    return unsafe Shared(table: UnsafePointer(table))
  }()

  /// Remarks, counters and options.
  private static func addTalk(_ host: inout irc_host) {
    unsafe host.fail = { handle, message, hint in
      unsafe CPassCall.serve(handle) { _ in
        throw PassError(try unsafe text(message, "message"), hint: unsafe optional(hint))
      }
    }
    unsafe host.remark = { handle, kind, message, hint in
      unsafe CPassCall.serve(handle) { call in
        let name = try unsafe text(kind, "kind of a remark")
        guard let kind = call.pass.info.remarks.first(where: { $0.name == name }) else {
          throw PassError.misuse(
            "the plugin remarks '\(name)', which its description does not have")
        }
        try call.context.remark(
          kind, at: .unknown, unsafe text(message, "remark"), hint: unsafe optional(hint))
      }
    }
    unsafe host.count = { handle, counter, amount in
      unsafe CPassCall.serve(handle) { call in
        let name = try unsafe text(counter, "counter")
        guard let counter = call.pass.info.statistics.first(where: { $0.name == name }) else {
          throw PassError.misuse("the plugin counts '\(name)', which its description does not have")
        }
        guard amount.magnitude < 1 << 40 else {
          throw PassError.misuse("the plugin adds \(amount) to '\(name)'")
        }
        try call.context.count(counter, by: Int(amount))
      }
    }
    unsafe host.integer = { handle, key, value in
      unsafe CPassCall.serve(handle) { call in
        let key = try unsafe text(key, "option")
        guard case .integer(let number) = try call.option(key) else { throw wrong(key, "integer") }
        try unsafe put(Int64(number), value)
      }
    }
    unsafe host.number = { handle, key, value in
      unsafe CPassCall.serve(handle) { call in
        let key = try unsafe text(key, "option")
        guard case .number(let number) = try call.option(key) else { throw wrong(key, "number") }
        try unsafe put(number, value)
      }
    }
    unsafe host.flag = { handle, key, value in
      unsafe CPassCall.serve(handle) { call in
        let key = try unsafe text(key, "option")
        guard case .boolean(let flag) = try call.option(key) else { throw wrong(key, "boolean") }
        try unsafe put(flag ? 1 : 0, value)
      }
    }
    unsafe host.text = { handle, key, value in
      unsafe CPassCall.serve(handle) { call in
        let key = try unsafe text(key, "option")
        guard case .text(let text) = try call.option(key) else { throw wrong(key, "text") }
        try unsafe put(call.lend(text), value)
      }
    }
  }

  /// Sites and transforms.
  private static func addSites(_ host: inout irc_host) {
    unsafe host.find_sites = { handle, family, patterns, count in
      unsafe CPassCall.serve(handle) { call in
        try unsafe put(call.findSites(family, optional(patterns)), count)
      }
    }
    unsafe host.site = { handle, index, site in
      unsafe CPassCall.serve(handle) { call in
        try unsafe fill(site, call.record(of: call.site(index)))
      }
    }
    unsafe host.site_statistics = { handle, index, statistics in
      unsafe CPassCall.serve(handle) { call in
        try unsafe fill(statistics, call.siteStatistics(index))
      }
    }
    unsafe host.apply_diagonal = { handle, site, factors, count, flags in
      unsafe CPassCall.serve(handle) { call in
        try call.apply(
          .diagonal(unsafe call.channels(factors, count, of: site, "factors")), at: site, flags)
      }
    }
    unsafe host.apply_permutation = { handle, site, order, count, flags in
      unsafe CPassCall.serve(handle) { call in
        try call.apply(
          .permutation(unsafe call.channels(order, count, of: site, "an order")), at: site, flags)
      }
    }
    unsafe host.apply_rotation = { handle, site, matrices, blocks, size, flags in
      unsafe CPassCall.serve(handle) { call in
        try call.apply(
          unsafe call.matrices(matrices, blocks, size, of: site, isRotation: true), at: site, flags)
      }
    }
    unsafe host.apply_matrices = { handle, site, matrices, blocks, size, flags in
      unsafe CPassCall.serve(handle) { call in
        try call.apply(
          unsafe call.matrices(matrices, blocks, size, of: site, isRotation: false), at: site, flags
        )
      }
    }
  }

  /// Weights, codes and tensors.
  private static func addWeights(_ host: inout irc_host) {
    unsafe host.find_weights = { handle, patterns, count in
      unsafe CPassCall.serve(handle) { call in
        try unsafe put(call.findWeights(optional(patterns)), count)
      }
    }
    unsafe host.weight = { handle, index, weight in
      unsafe CPassCall.serve(handle) { call in
        try unsafe fill(weight, call.record(of: call.weight(index)))
      }
    }
    unsafe host.read_weight = { handle, index, elements, count in
      unsafe CPassCall.serve(handle) { try unsafe $0.readWeight(index, to: elements, count) }
    }
    unsafe host.read_scales = { handle, index, scales, zeros, count in
      unsafe CPassCall.serve(handle) { try unsafe $0.readScales(index, to: scales, zeros, count) }
    }
    unsafe host.weight_statistics = { handle, index, statistics in
      unsafe CPassCall.serve(handle) { call in
        try unsafe fill(statistics, call.weightStatistics(index))
      }
    }
    unsafe host.attach_codes = { handle, index, codes, codeCount, scales, zeros, scaleCount in
      unsafe CPassCall.serve(handle) { call in
        try unsafe call.attach(codes, codeCount, scales, zeros, scaleCount, to: index)
      }
    }
    unsafe host.tensor_shape = { handle, name, shape, rank in
      unsafe CPassCall.serve(handle) { call in
        let extents = try unsafe call.tensor(named: text(name, "tensor")).shape
        guard let shape = unsafe shape else {
          throw PassError.misuse("there is no room for a shape")
        }
        for (axis, extent) in extents.enumerated() { unsafe shape[axis] = extent }
        try unsafe put(extents.count, rank)
      }
    }
    unsafe host.read_tensor = { handle, name, elements, count in
      unsafe CPassCall.serve(handle) { call in
        let name = try unsafe text(name, "tensor")
        try unsafe call.copy(call.tensor(named: name), to: elements, count, "tensor '\(name)'")
      }
    }
  }
}

// Arguments. They are no members, since functions that C calls have no context.

private func text(_ pointer: UnsafePointer<CChar>?, _ what: String) throws -> String {
  guard let pointer = unsafe pointer else {
    throw PassError.misuse("the plugin gives no \(what)")
  }
  return unsafe String(cString: pointer)
}

private func optional(_ pointer: UnsafePointer<CChar>?) -> String? {
  unsafe pointer.map { unsafe String(cString: $0) }
}

private func wrong(_ option: String, _ type: String) -> PassError {
  .misuse("option '\(option)' is not of type '\(type)'")
}

private func put<Value>(_ value: Value, _ place: UnsafeMutablePointer<Value>?) throws {
  guard let place = unsafe place else { throw PassError.misuse("there is no room for a result") }
  unsafe place.pointee = value
}

/// Fills a record as far as the plugin knows it.
private func fill<Record: GrowingRecord>(
  _ place: UnsafeMutablePointer<Record>?, _ record: Record
) throws {
  guard let place = unsafe place else { throw PassError.misuse("there is no room for a result") }
  guard
    unsafe CRecord.fill(
      UnsafeMutableRawPointer(place), atLeast: Int(Record.firstSize), from: record)
  else {
    throw PassError.misuse("the plugin has not set 'struct_size' of what it wants to know")
  }
}

/// A record that begins with its size.
private protocol GrowingRecord {
  /// Its bytes in version 1.0.
  static var firstSize: Int32 { get }
}

extension irc_site: GrowingRecord { static var firstSize: Int32 { Int32(IRC_SITE_SIZE_1_0) } }
extension irc_statistics: GrowingRecord {
  static var firstSize: Int32 { Int32(IRC_STATISTICS_SIZE_1_0) }
}
extension irc_weight: GrowingRecord { static var firstSize: Int32 { Int32(IRC_WEIGHT_SIZE_1_0) } }
