import CIRCPlugin
import IRCPassManager
import Testing

/// `layout.c` asserts the same of C; Swift must see the tables as C does.
@Suite("Layout of irc_plugin.h")
struct PluginLayoutTests {
  /// Offsets of some fields and the sizes, as version 1.0 has them.
  @Test("Swift sees the fields where compiled plugins have them")
  func offsets() {
    #expect(MemoryLayout<irc_plugin_table>.size == 384)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.struct_size) == 24)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.kind) == 36)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.kit) == 296)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.swift_plugins) == 360)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.passes) == 368)
    #expect(MemoryLayout<irc_plugin_table>.offset(of: \.pass_count) == 376)
    #expect(MemoryLayout<irc_pass>.size == 40)
    #expect(MemoryLayout<irc_pass>.offset(of: \.description) == 16)
    #expect(MemoryLayout<irc_pass>.offset(of: \.check) == 24)
    #expect(MemoryLayout<irc_pass>.offset(of: \.run) == 32)
    #expect(MemoryLayout<irc_host>.size == 192)
    #expect(MemoryLayout<irc_host>.offset(of: \.fail) == 16)
    #expect(MemoryLayout<irc_host>.offset(of: \.integer) == 40)
    #expect(MemoryLayout<irc_host>.offset(of: \.find_sites) == 72)
    #expect(MemoryLayout<irc_host>.offset(of: \.apply_matrices) == 120)
    #expect(MemoryLayout<irc_host>.offset(of: \.find_weights) == 128)
    #expect(MemoryLayout<irc_host>.offset(of: \.attach_codes) == 168)
    #expect(MemoryLayout<irc_host>.offset(of: \.read_tensor) == 184)
    #expect(MemoryLayout<irc_site>.size == 56)
    #expect(MemoryLayout<irc_site>.offset(of: \.width) == 32)
    #expect(MemoryLayout<irc_site>.offset(of: \.online) == 48)
    #expect(MemoryLayout<irc_statistics>.size == 64)
    #expect(MemoryLayout<irc_statistics>.offset(of: \.mean) == 24)
    #expect(MemoryLayout<irc_statistics>.offset(of: \.second_moment) == 56)
    #expect(MemoryLayout<irc_weight>.size == 104)
    #expect(MemoryLayout<irc_weight>.offset(of: \.rows) == 32)
    #expect(MemoryLayout<irc_weight>.offset(of: \.lowest_code) == 72)
    #expect(MemoryLayout<irc_weight>.offset(of: \.value_count) == 88)
    #expect(MemoryLayout<irc_weight>.offset(of: \.numbers) == 96)
  }

  /// A pass as a later version may have it: with a field more.
  private struct LaterPass {
    var pass = irc_pass()
    var more: UInt64 = 0
  }

  @Test("A table of version 1.0 goes with a program that knows more, and the other way round")
  func growth() throws {
    let bytes = (0..<48).map { UInt8($0) }
    unsafe bytes.withUnsafeBytes { bytes in
      guard let place = bytes.baseAddress else { return }
      let least = Int(IRC_PASS_SIZE_1_0)
      func copy<Record>(_ size: UInt32, into record: Record) -> [UInt8]? {
        unsafe CRecord.copy(place, size: size, atLeast: least, into: record).map { copy in
          unsafe withUnsafeBytes(of: copy) { unsafe Array($0) }
        }
      }
      let old = Array(0..<40) + [UInt8](repeating: 0, count: 8)
      #expect(copy(40, into: LaterPass()) == old)
      #expect(copy(48, into: LaterPass()) == Array(0..<48))
      #expect(copy(48, into: irc_pass()) == Array(0..<40))
      #expect(copy(39, into: irc_pass()) == nil)
    }
  }

  /// A site as a later version may have it.
  private struct LaterSite {
    var site = irc_site()
    var more: UInt64 = 7
  }

  @Test("A record of a plugin is filled as far as the plugin knows it")
  func filling() {
    var site = irc_site()
    unsafe site.width = 5
    let later = LaterSite(site: site)
    var words = [UInt64](repeating: 9, count: 9)
    let least = Int(IRC_SITE_SIZE_1_0)
    func fill<Record>(_ size: UInt32, from record: Record) -> Bool {
      unsafe words.withUnsafeMutableBytes { bytes in
        guard let place = bytes.baseAddress else { return false }
        unsafe place.storeBytes(of: size, as: UInt32.self)
        return unsafe CRecord.fill(place, atLeast: least, from: record)
      }
    }
    #expect(fill(56, from: later) && words[4] == 5 && words[7] == 9)
    #expect(fill(64, from: later) && words[7] == 7 && words[8] == 9)
    words[7] = 9
    #expect(fill(72, from: site) && words[7] == 9)
    #expect(UInt32(truncatingIfNeeded: words[0]) == 72)
    #expect(!fill(55, from: site))
  }

  @Test("The version goes up with what is added: this is 1.0")
  func version() {
    #expect(IRC_PLUGIN_API_MAJOR == 1 && IRC_PLUGIN_API_MINOR == 0)
  }
}
