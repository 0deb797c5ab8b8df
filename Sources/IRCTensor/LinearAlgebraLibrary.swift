import CBLAS

/// The library that does linear algebra.
public enum LinearAlgebraLibrary {
  /// Its version, how it was built and which of its kernels it has chosen for this processor: last digits depend on that.
  public static var description: String {
    unsafe "\(String(cString: openblas_get_config())) \(String(cString: openblas_get_corename()))"
  }
}
