/// What was written, or would be, tensor by tensor.
public struct EmissionReport: Hashable, Sendable {
  /// One tensor of the weights file.
  public struct StoredTensor: Hashable, Sendable {
    /// Name of the checkpoint tensor that it comes from; the first if it comes from several.
    public let name: String
    /// Name of the constant that a pass computed from that tensor, such as codes or a factor of a branch; nil if the elements are
    /// the tensor's own, or operators of the graph make them of it.
    public let constant: String?
    /// Extents.
    public let shape: [Int]
    /// How it is kept, such as `f32`, `f16` or `int4 group(32) f16`.
    public let format: String
    /// Bytes of codes, scales and zero points, without padding between them.
    public let bytes: Int

    /// Bits of the file for each element.
    public var bitsPerWeight: Double {
      Double(bytes) * 8 / Double(max(1, shape.reduce(1, *)))
    }
  }

  /// What files and symbols are called.
  public let names: ArtifactNames
  /// Files that were written, in order.
  public let files: [String]
  /// The tensors in the order of the file.
  public let tensors: [StoredTensor]
  /// Bytes of all other files together.
  public let textBytes: Int
  /// Size of the weights file.
  public let weightBytes: Int
  /// Bytes for values between operators, for a chunk of tokens.
  public let arenaBytes: Int
  /// Bytes of a context for `contextLength` tokens.
  public let contextBytes: Int
  /// Bytes that each token adds to what a model keeps: those of caches.
  public let tokenBytes: Int
  /// Tokens that a context has room for by default; nil if there is no limit.
  public let contextLength: Int?
  /// What runs for tokens.
  public let kernels: KernelPlan
  /// Columns of the logits.
  public let vocabulary: Int
  /// Tokens of a prompt that run together.
  public let chunk: Int
  /// What a C compiler should be told, compiling as well as linking.
  public let compilerFlags: [String]
}
