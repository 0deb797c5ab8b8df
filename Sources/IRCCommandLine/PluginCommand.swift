import ArgumentParser
import Foundation
import IRCDriver
import IRCPassKit
import IRCPassManager
import IRCSupport

/// `irc plugin`: passes in files of their own.
struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin",
    abstract: "Begin, build or install plugins: files with further passes and components.",
    subcommands: [New.self, Build.self, Kit.self])

  /// `irc plugin new`
  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "new", abstract: "Write a folder with a small plugin, its test and a README.")

    @Argument(help: "Name of the pass, such as 'my-pass'.")
    var name: String
    @Option(name: .shortAndLong, help: "Folder to write (default: one of that name).")
    var output: String?
    @Option(help: "What to write it in: swift, c, c++ or rust.")
    var language = PluginLanguage.swift
    @OptionGroup var common: CommonOptions

    func run() throws {
      if try common.environment().registry[name] != nil {
        throw Diagnostic(
          "plugin.name", "there is a pass '\(name)' already, and two cannot share a name",
          hint: "name it otherwise, as in 'my-\(name)'")
      }
      let template = try PluginTemplate(name, folder: output, language: language)
      let files = try template.write(executable: CommonOptions.executable)
      try common.write(
        .object([("files", .array(files.map { .string($0) }))]),
        or: files.map { "\($0)\n" }.joined())
      common.reporter.note("next: irc plugin build \(output ?? name)")
    }
  }

  /// `irc plugin build`
  struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "build", abstract: "Compile the plugin in a folder.",
      discussion: """
        Compiles the files of Swift, of C and C++, or of Rust in the folder and in its folder 'Sources'.

        Swift: with the compiler on the path (or in SWIFTC), which must be the one that irc was built with. The plugin works with this build of \
        irc and no other.

        C, C++ and Rust: with cc, c++ or rustc on the path (or in CC, CXX or RUSTC); of Rust the file 'lib.rs' is the crate. The plugin works \
        with every irc that knows its version of irc_plugin.h.
        """)

    @Argument(help: "The folder.")
    var folder: String
    @Option(
      name: .shortAndLong,
      help: "File to write (default: build/NAME.so in the folder, by the folder's name).")
    var output: String?
    @OptionGroup var common: CommonOptions

    func run() throws {
      let environment = try common.environment()
      let builder = try PluginBuilder(folder, output: output)
      if builder.isSwift { try PluginHost.checkProgram() }
      let kit = try PluginKit(executable: CommonOptions.executable)
      let (plugin, warnings) = try builder.build(with: kit, beside: environment.registry)
      if !warnings.isEmpty { environment.reporter.note(warnings) }
      let components = plugin.components.map { component in
        JSON.object([
          ("kind", .string(component.kind.name)), ("name", .string(component.info.name)),
        ])
      }
      try common.write(
        .object([
          ("output", .string(builder.output)),
          ("passes", .array(plugin.passes.map { .string($0.info.name) })),
          ("components", .array(components)),
          ("operators", .array(plugin.operators.map { .string($0.name) })),
        ]), or: "\(builder.output): \(plugin.names.joined(separator: ", "))\n")
    }
  }

  /// `irc plugin kit`
  struct Kit: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "kit", abstract: "Copy what plugins are compiled against, for an installation.",
      discussion: "An installed irc looks for it in lib/irc, beside the folder that it is in.")

    @Argument(help: "The folder to write, such as /usr/local/lib/irc.")
    var folder: String
    @OptionGroup var common: CommonOptions

    func run() throws {
      try PluginKit(executable: CommonOptions.executable).export(to: folder)
      try common.write(.object([("output", .string(folder))]), or: "\(folder)\n")
    }
  }
}

extension PluginLanguage: ExpressibleByArgument {}
