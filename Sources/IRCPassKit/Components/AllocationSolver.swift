/// Chooses one option for each of several things within budgets.
public protocol AllocationSolver: Component {
  /// A solution; nil if no choices fit the budgets, or the solver finds none.
  func solve(_ problem: AllocationProblem) throws -> AllocationProblem.Solution?
}

extension AllocationSolver {
  public static var kind: any ComponentKind.Type { AllocationSolvers.self }
}

/// The kind of `AllocationSolver`.
public enum AllocationSolvers: ComponentKind {
  public typealias Element = any AllocationSolver
  public static let name = "allocation solver"
}
