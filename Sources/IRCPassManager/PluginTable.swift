import CIRCPlugin
import IRCSupport

/// What a plugin says about itself: read in its file before anything of it runs, and again in what was loaded.
struct PluginTable: Equatable {
  private let size: UInt32
  private let major: UInt32
  private let minor: UInt32
  private let kind: UInt32
  private let compiler: String
  private let kit: String

  /// Finds the table in a file's bytes.
  ///
  /// - Throws: `Diagnostic` `plugin.not-a-library` when the file is nothing that can be loaded, `plugin.not-a-plugin` when it is not
  ///   a plugin.
  init(in bytes: UnsafeRawBufferPointer, of path: String) throws {
    guard unsafe bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      throw Diagnostic(
        "plugin.not-a-library", "'\(path)' is not a shared library",
        hint: "name the file that 'irc plugin build' makes of the plugin's sources")
    }
    if unsafe Self.isCut(bytes) {
      throw Diagnostic(
        "plugin.truncated", "'\(path)' is a library that is not complete: the file is cut off",
        hint: "copy it again, or build it again with 'irc plugin build'")
    }
    var table = unsafe irc_plugin_table()
    guard unsafe irc_plugin_find_table(bytes.baseAddress, bytes.count, &table) else {
      throw Diagnostic(
        "plugin.not-a-plugin", "'\(path)' is a library and no plugin of irc",
        hint: "name the file that 'irc plugin build' makes of the plugin's sources")
    }
    unsafe self.init(table)
  }

  /// True if the table of sections, which linkers put last, lies beyond the end of the file. Files of other systems are not judged.
  private static func isCut(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // Bytes 4 and 5: 64 bits, little endian.
    guard bytes.count >= 64 else { return true }
    guard unsafe bytes[4] == 2, unsafe bytes[5] == 1 else { return false }
    let start = unsafe UInt64(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 40, as: UInt64.self))
    let size = unsafe UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 58, as: UInt16.self))
    let count = unsafe UInt16(
      littleEndian: bytes.loadUnaligned(fromByteOffset: 60, as: UInt16.self))
    let end = start.addingReportingOverflow(UInt64(size) * UInt64(count))
    return start > 0 && (end.overflow || end.partialValue > UInt64(bytes.count))
  }

  /// Takes the head of the table that a plugin returned; what comes behind the head is not looked at.
  init(_ table: irc_plugin_table) {
    unsafe size = table.struct_size
    unsafe major = table.api_major
    unsafe minor = table.api_minor
    unsafe kind = table.kind
    unsafe compiler = Self.text(of: table.compiler)
    unsafe kit = Self.text(of: table.kit)
  }

  /// True for plugins that any irc of the version can load.
  var isC: Bool { kind == UInt32(IRC_PLUGIN_C) }

  /// Complains of a plugin that was not made for this version or, in Swift, for this very program.
  ///
  /// - Throws: `Diagnostic` `plugin.api-version`, `plugin.kind`, `plugin.compiler` or `plugin.kit`.
  func check(_ path: String) throws {
    let rebuild = "build it again with 'irc plugin build'"
    let own = "\(IRC_PLUGIN_API_MAJOR).\(IRC_PLUGIN_API_MINOR)"
    let version = "\(major).\(minor)"
    guard major == IRC_PLUGIN_API_MAJOR, minor <= IRC_PLUGIN_API_MINOR else {
      throw Diagnostic(
        "plugin.api-version",
        "plugin '\(path)' speaks version \(version) of the plugin interface, and this irc \(own)",
        hint: rebuild)
    }
    if isC { return }
    guard kind == UInt32(IRC_PLUGIN_SWIFT) else {
      throw Diagnostic(
        "plugin.kind",
        "plugin '\(path)' is of kind \(kind), which this irc does not know",
        hint: "use the irc that it was made for")
    }
    let compiler = unsafe String(cString: irc_plugin_host_compiler())
    guard self.compiler == compiler else {
      throw Diagnostic(
        "plugin.compiler", "plugin '\(path)' was built by another compiler than this irc",
        hint: "\(rebuild), with the Swift toolchain that built irc",
        notes: ["the plugin: \(self.compiler)", "irc: \(compiler)"])
    }
    guard kit == PluginHost.fingerprint else {
      throw Diagnostic(
        "plugin.kit", "plugin '\(path)' was built for another build of irc", hint: rebuild,
        notes: ["the plugin: \(kit)", "irc: \(PluginHost.fingerprint)"])
    }
  }

  /// The characters of a field, up to the first zero.
  private static func text<Field>(of field: Field) -> String {
    unsafe withUnsafeBytes(of: field) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
