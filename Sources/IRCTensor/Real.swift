private import CBLAS
private import Foundation

/// The two precisions that a graph can run in: `Float` for work, `Double` as the oracle of tests.
public protocol Real: TensorElement, BinaryFloatingPoint {
  /// C ← A·B + beta·C for row-major matrices: A is (m, k) or its transpose, B is (k, n) or its transpose, C is (m, n).
  ///
  /// `lda`, `ldb`, `ldc` are the distances between stored rows. Runs on the calling thread, so that results do not
  /// depend on a thread count.
  static func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Self>, lda: Int, transposeA: Bool,
    _ b: UnsafePointer<Self>, ldb: Int, transposeB: Bool, beta: Self,
    _ c: UnsafeMutablePointer<Self>, ldc: Int)

  /// e to the power of `x`.
  static func exponential(_ x: Self) -> Self
  /// The natural logarithm of `x`.
  static func logarithm(_ x: Self) -> Self
  /// log(1 + x), exact for small x.
  static func logarithmOnePlus(_ x: Self) -> Self
}

/// OpenBLAS.
enum BLAS {
  private static let serial: Void = openblas_set_num_threads(1)

  /// Tells the library, once, to stay on the calling thread; comes before every call of it.
  static func prepare() { serial }
}

extension Float: Real {
  public static func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Float>, lda: Int, transposeA: Bool,
    _ b: UnsafePointer<Float>, ldb: Int, transposeB: Bool, beta: Float,
    _ c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    guard m > 0, n > 0, k > 0 else { return }
    BLAS.prepare()
    unsafe cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
  }

  public static func exponential(_ x: Float) -> Float { exp(x) }
  public static func logarithm(_ x: Float) -> Float { log(x) }
  public static func logarithmOnePlus(_ x: Float) -> Float { log1p(x) }
}

extension Double: Real {
  public static func multiply(
    m: Int, n: Int, k: Int, _ a: UnsafePointer<Double>, lda: Int, transposeA: Bool,
    _ b: UnsafePointer<Double>, ldb: Int, transposeB: Bool, beta: Double,
    _ c: UnsafeMutablePointer<Double>, ldc: Int
  ) {
    guard m > 0, n > 0, k > 0 else { return }
    BLAS.prepare()
    unsafe cblas_dgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a, Int32(lda), b, Int32(ldb), beta, c, Int32(ldc))
  }

  public static func exponential(_ x: Double) -> Double { exp(x) }
  public static func logarithm(_ x: Double) -> Double { log(x) }
  public static func logarithmOnePlus(_ x: Double) -> Double { log1p(x) }
}
