private import Foundation

/// Zeroed memory straight from the system, which gets it back at once when it is freed.
///
/// An allocator would put what stays, such as the small constants of a pass, into the place of a large tensor that was freed; the
/// next one would then not fit there, and memory would grow with the number of layers.
///
/// SAFETY: the address never changes and is valid while this object lives.
@safe
final class LargeBlock: @unchecked Sendable {
  /// Where it is: at the start of a page.
  let start: UnsafeMutableRawPointer
  private let byteCount: Int

  /// Less comes from the allocator, which is quicker when tensors come and go.
  private static let smallest = 1 << 20

  /// Nil if so few bytes are no large block, or the system has none.
  init?(byteCount: Int) {
    guard byteCount >= Self.smallest,
      let start = unsafe mmap(
        nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe start != MAP_FAILED
    else { return nil }
    unsafe self.start = start
    self.byteCount = byteCount
  }

  deinit {
    unsafe munmap(start, byteCount)
  }
}
