/// Names of models that would make files or symbols which the language, the system or the library itself has already.
enum TakenNames {
  /// Why a model cannot have this name, as the end of a sentence; nil if it can.
  ///
  /// - Parameters:
  ///   - stem: what files would be called.
  ///   - symbol: what symbols would start with, followed by `_`.
  static func reason(stem: String, symbol: String) -> String? {
    // Macros are in capitals whatever the name is, and some file systems take both for one.
    let (stem, symbol) = (stem.lowercased(), symbol.lowercased())
    if symbol.count == 1 {
      return "headers of C and POSIX have symbols with one letter in front, such as X_OK"
    }
    if let family = families.first(where: { symbol == $0 || symbol.hasPrefix($0 + "_") }) {
      return family == "irc"
        ? "the kernels of the library are called so"
        : "symbols that begin with '\(family)_' are the system's"
    }
    if stem.hasPrefix("kernels_") { return "the kernels of the library are called so" }
    if headers.contains(stem) || intrinsics.contains(stem) {
      return "<\(stem).h> is a header of the system"
    }
    if prefixes.contains(symbol) {
      return "symbols that begin with '\(symbol)_' are those of C and POSIX"
    }
    return nil
  }

  /// First words of whole families of symbols, among them some with further words before ours: `pthread_mutex_destroy`.
  private static let families = ["irc", "posix", "pthread", "sys"]

  /// What C11, POSIX and glibc put in front of symbols, and POSIX reserves (System Interfaces, 2.2.2).
  private static let prefixes: Set<String> = [
    "ai", "aio", "argz", "at", "bus", "cld", "clnt", "clock", "cmsg", "cnd", "dbm", "dl", "epoll",
    "fd", "fe",
    "fnm", "fpe", "fts", "gl", "glob", "gr", "if", "ill", "in", "in6", "iov", "ip", "ipc",
    "ipproto", "it", "itimer", "lc", "lio", "log", "map", "mcl", "memfd", "mm", "mq", "ms", "msg",
    "mtx", "ni", "nl", "pd", "poll", "prot", "pw", "reg", "rlim", "rlimit", "rtld", "ru", "sa",
    "sched", "seek", "segv", "sem", "shm", "shut", "si", "sig", "sigev", "sin", "sin6", "sival",
    "so", "spawn", "ss", "ssi", "st", "sun", "sv", "tcp", "thrd", "timer", "timerfd", "tm", "tms",
    "trap", "tss", "tv", "uc", "uio", "us", "ut", "uts", "va", "we", "wrde", "xdr",
  ]

  /// Headers of C11 and POSIX, and those that they and the kernels include: a file of that name would stand in for them.
  private static let headers: Set<String> = [
    "aio", "alloca", "arm_neon", "assert", "byteswap", "complex", "cpio", "cpuid", "ctype",
    "dirent", "dlfcn", "elf", "endian", "errno", "fcntl", "features", "fenv", "float", "fmtmsg",
    "fnmatch", "ftw", "glob", "grp", "iconv", "inttypes", "iso646", "langinfo", "libgen", "limits",
    "link", "locale", "malloc", "math", "memory", "mm_malloc", "monetary", "mqueue", "ndbm",
    "netdb",
    "nl_types", "omp", "poll", "pthread", "pwd", "regex", "sched", "search", "semaphore",
    "setjmp", "signal", "spawn", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint",
    "stdio", "stdlib", "stdnoreturn", "string", "strings", "stropts", "syslog", "tar", "termios",
    "tgmath", "threads", "time", "trace", "uchar", "ulimit", "unistd", "utime", "utmpx", "wait",
    "wchar", "wctype", "wordexp",
  ]
}
