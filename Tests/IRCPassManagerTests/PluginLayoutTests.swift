import CIRCPlugin
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

  @Test("The version goes up with what is added: this is 1.0")
  func version() {
    #expect(IRC_PLUGIN_API_MAJOR == 1 && IRC_PLUGIN_API_MINOR == 0)
  }
}
