public import IRCGraph

/// A pass with its options, as whoever runs it sees it: one that is a Swift type (`Pass`), or one that a description made at run time.
public protocol DeclaredPass: Sendable {
  /// What it declares; the same for every instance.
  var info: PassInfo { get }

  /// The options of this instance in the order of their declaration.
  var options: [DeclaredOption] { get }

  /// The same pass with all options at their defaults.
  var withDefaults: Self { get }

  /// Sets an option from what a user wrote.
  ///
  /// - Throws: `DiagnosticList` when the value is of the wrong kind or out of bounds; the pass is then as it was.
  mutating func set(_ option: DeclaredOption, to value: OptionValue) throws

  /// What this instance, with its options, needs of facts and does to them; by default what `info` says of all.
  var effects: PassEffects { get }

  /// True if this instance, with its options, asks for calibration statistics where it finds something to do: without a text that is
  /// told before anything runs. By default what `info` says of all instances.
  var needsCalibration: Bool { get }

  /// True if running this instance takes longer than reading its result again, which is then kept between runs of the program.
  ///
  /// By default that of passes that use calibration and emit no files. Rewriting the graph alone takes milliseconds; computing
  /// with the elements of weights is costly.
  var isCostly: Bool { get }

  /// Problems between options, each as a sentence; what a single option allows is checked before.
  func check() -> [String]

  /// Rewrites the graph.
  ///
  /// - Throws: `PassError` when the graph cannot be handled; the graph is then discarded.
  func run(on graph: inout Graph, in context: PassContext) throws

  /// Does to shapes and formats what `run` would do, without elements of weights and without measuring: what
  /// `irc lower --dry-run` shows comes from it. Statistics of the context are stand-ins, and there is no output folder.
  ///
  /// By default `run` itself; but a pass that is costly, or writes files, leaves the graph as it is and says that it is open what comes.
  ///
  /// - Throws: as `run`.
  func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast

  /// What `run` would take, from the sizes of what is in the graph.
  ///
  /// By default nothing; of a pass that is costly at least one run over the calibration text, if it uses that.
  ///
  /// - Parameter tokens: how many the calibration text has; 0 if there is none.
  /// - Throws: as `run`.
  func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork
}

extension DeclaredPass {
  public func check() -> [String] { [] }
  public var effects: PassEffects { info.effects }
  public var needsCalibration: Bool { info.usesCalibration }
  public var isCostly: Bool { info.usesCalibration && !info.emitsFiles }

  public func forecast(on graph: inout Graph, in context: PassContext) throws -> PassForecast {
    if info.emitsFiles { return .open("the files that it writes are not known before") }
    if isCostly {
      return .open(
        needsCalibration
          ? "what it does depends on the calibration text" : "what it does depends on the weights")
    }
    try run(on: &graph, in: context)
    return .certain
  }

  public func work(
    on graph: Graph, calibrationTokens tokens: Int, in context: PassContext
  ) throws -> PassWork {
    isCostly
      ? PassWork(networkTokens: needsCalibration ? tokens : 0, isLeast: true) : PassWork()
  }
}

/// One rewrite of a graph: a value that holds its options and nothing else.
///
/// A pass does no I/O, reads no clock and keeps no state; calibration data, remarks and output go through the context. It
/// may run on many graphs at once. So what it leaves depends on the graph, its options and what it asks the context for, and the
/// result of a costly instance is kept and taken again for the same of these.
public protocol Pass: DeclaredPass, Plugin {
  /// What it is; the same for every instance.
  static var info: PassInfo { get }
  /// One with default options.
  init()
}

extension Pass {
  public var info: PassInfo { Self.info }
  public var withDefaults: Self { Self() }
}

/// What is known of a pass before it runs.
public enum PassForecast: Hashable, Sendable {
  /// Shapes and formats of the graph are as they will be.
  case certain
  /// The graph is as it was: what the pass will do depends on data, as a sentence without a full stop says.
  case open(String)
}

/// What a pass declares about itself, once.
public struct PassInfo: Sendable {
  /// Name in YAML, in kebab-case.
  public var name: String
  /// What it does, in one sentence.
  public var summary: String
  /// More, for the generated documentation; Markdown.
  public var details: String
  /// Where the method comes from, with section.
  public var paper: String?
  /// What it needs of facts and does to them, if its options do not decide that.
  public var effects: PassEffects
  /// True if the graph computes the same function afterwards; the manager checks that by running it.
  public var preservesFunction: Bool
  /// Relative difference that the check, which runs in double precision, allows.
  public var tolerance: Double
  /// True if some option makes it ask for calibration statistics.
  public var usesCalibration: Bool
  /// True if it writes files of the output folder; such passes are left out when a graph is only evaluated.
  public var emitsFiles: Bool
  /// Counters that it reports.
  public var statistics: [Statistic]
  /// Remarks that it makes.
  public var remarks: [RemarkKind]

  /// Declares a pass.
  public init(
    name: String, summary: String, details: String = "", paper: String? = nil,
    requires: [Fact] = [], conflicts: [FactConflict] = [], establishes: [Fact] = [],
    preserves: FactSelection = .all, preservesFunction: Bool, tolerance: Double = 1e-6,
    usesCalibration: Bool = false,
    emitsFiles: Bool = false, statistics: [Statistic] = [], remarks: [RemarkKind] = []
  ) {
    self.name = name
    self.summary = summary
    self.details = details
    self.paper = paper
    effects = PassEffects(
      requires: requires, conflicts: conflicts, establishes: establishes, preserves: preserves)
    self.preservesFunction = preservesFunction
    self.tolerance = tolerance
    self.usesCalibration = usesCalibration
    self.emitsFiles = emitsFiles
    self.statistics = statistics
    self.remarks = remarks
  }
}

/// A counter with a meaning in the pass's domain.
public struct Statistic: Hashable, Sendable {
  /// Name in reports.
  public var name: String
  /// What is counted.
  public var help: String

  /// Declares a counter.
  public init(_ name: String, _ help: String) {
    self.name = name
    self.help = help
  }
}

/// A kind of remark that a pass makes.
public struct RemarkKind: Hashable, Sendable {
  /// What it tells.
  public enum Outcome: String, Sendable {
    /// Something was done.
    case passed
    /// Something was not done, and why.
    case missed
    /// Something worth knowing.
    case analysis
  }

  /// Name in reports, in kebab-case.
  public var name: String
  /// What it tells.
  public var outcome: Outcome
  /// When it is made.
  public var help: String

  /// Declares a kind of remark.
  public init(_ name: String, _ outcome: Outcome, _ help: String) {
    self.name = name
    self.outcome = outcome
    self.help = help
  }
}

/// Why a pass gives up.
public struct PassError: Error, Sendable, CustomStringConvertible {
  /// One sentence without a full stop.
  public var message: String
  /// The operation at fault.
  public var location: Location
  /// What to do about it.
  public var hint: String?

  /// Makes the error.
  public init(_ message: String, at location: Location = .unknown, hint: String? = nil) {
    self.message = message
    self.location = location
    self.hint = hint
  }

  public var description: String { message }
}
