/// What tells build systems of an emitted library: a file for pkg-config and one for CMake's `find_package`.
///
/// Both find the folder from where they lie, so they hold no paths and the folder can be moved.
struct PackageText {
  let names: ArtifactNames
  /// The C files to compile.
  let sources: [String]
  let target: Target
  let threads: ThreadModel

  private var summary: String { "The network \(names.stem), compiled by irc" }
  /// Version of the library's interface. The weights belong to the very code, so nobody compares it.
  private static let version = "1.0"

  /// The library is given as source: `sources` names what to compile, with the flags in `cflags`.
  var pkgConfig: String {
    """
    folder=${pcfiledir}
    sources=\(sources.map { "${folder}/\($0)" }.joined(separator: " "))
    weights=${folder}/\(names.weights)
    cflags=\(target.compilerFlags(threads).joined(separator: " "))

    Name: \(names.stem)
    Description: \(summary); compile ${sources} with ${cflags}
    Version: \(Self.version)
    Cflags: -I${folder}
    Libs: \((["-lm"] + threads.compilerFlags).joined(separator: " "))

    """
  }

  /// Makes a static library `STEM::STEM` of the sources, with the weights' path in its property `IRC_WEIGHTS`.
  var cmake: String {
    let library = cIdentifier(names.stem)
    let files = sources.map { "  \"${CMAKE_CURRENT_LIST_DIR}/\($0)\"" }.joined(separator: "\n")
    let flags = target.compilerFlags(.none).joined(separator: " ")
    return """
      # \(summary): find_package(\(names.stem) CONFIG PATHS FOLDER), then link \(names.stem)::\(names.stem).
      # Its property IRC_WEIGHTS, and the variable \(library)_WEIGHTS, name the file to give to \(names.symbol)_create.
      set(\(library)_WEIGHTS "${CMAKE_CURRENT_LIST_DIR}/\(names.weights)")
      if(NOT TARGET \(names.stem)::\(names.stem))
        enable_language(C)
        add_library(irc_\(library) STATIC
      \(files))
        target_compile_options(irc_\(library) PRIVATE \(flags))
        target_include_directories(irc_\(library) PUBLIC "${CMAKE_CURRENT_LIST_DIR}")
        if(UNIX)
          target_link_libraries(irc_\(library) PUBLIC m)
        endif()
      \(threadLines.map { "  \($0)\n" }.joined())\
        set_target_properties(irc_\(library) PROPERTIES IRC_WEIGHTS "${\(library)_WEIGHTS}")
        add_library(\(names.stem)::\(names.stem) ALIAS irc_\(library))
      endif()

      """
  }

  /// What CMake finds threads with.
  private var threadLines: [String] {
    let target = "irc_\(cIdentifier(names.stem))"
    return switch threads {
    case .none: []
    case .pool:
      [
        "set(THREADS_PREFER_PTHREAD_FLAG ON)", "find_package(Threads REQUIRED)",
        "target_link_libraries(\(target) PUBLIC Threads::Threads)",
      ]
    case .openmp:
      [
        "find_package(OpenMP REQUIRED COMPONENTS C)",
        "target_link_libraries(\(target) PUBLIC OpenMP::OpenMP_C)",
      ]
    }
  }
}
