/// What the threads of an emitted library are made with.
public enum ThreadModel: String, Sendable, CaseIterable {
  /// There are none: a context runs on the thread that calls it.
  case none
  /// A pool of POSIX threads in the context's memory.
  case pool
  /// OpenMP, where the compiler has it.
  case openmp

  /// What a C compiler should be told besides, compiling as well as linking.
  public var compilerFlags: [String] {
    switch self {
    case .none: []
    case .pool: ["-pthread"]
    case .openmp: ["-fopenmp"]
    }
  }
}
