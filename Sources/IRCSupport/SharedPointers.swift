/// An address that several threads read.
///
/// SAFETY: made from memory that outlives the parallel loop; nobody writes there.
@safe
package struct SharedPointer<Element>: @unchecked Sendable {
  package let start: UnsafePointer<Element>
  package init(_ start: UnsafePointer<Element>) { unsafe self.start = start }
}

/// An address where several threads write, each its own elements.
///
/// SAFETY: made from memory that outlives the parallel loop; the pieces of the loop do not overlap.
@safe
package struct SharedMutablePointer<Element>: @unchecked Sendable {
  package let start: UnsafeMutablePointer<Element>
  package init(_ start: UnsafeMutablePointer<Element>) { unsafe self.start = start }
}
