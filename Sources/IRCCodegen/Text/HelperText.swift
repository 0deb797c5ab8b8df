extension Helper {
  /// The function as C.
  var text: String {
    switch self {
    case .copyRows:
      """
      // (rows, n) with a stride -> (rows, n) with another.
      static void copy_rows(
        float *y, size_t y_stride, const float *x, size_t x_stride, size_t rows, size_t n) {
        for (size_t r = 0; r < rows; r++) memcpy(y + r * y_stride, x + r * x_stride, n * sizeof(float));
      }
      """
    case .copyCodes:
      """
      // The same of codes.
      static void copy_codes(
        int8_t *y, size_t y_stride, const int8_t *x, size_t x_stride, size_t rows, size_t n) {
        for (size_t r = 0; r < rows; r++) memcpy(y + r * y_stride, x + r * x_stride, n);
      }
      """
    case .positions:
      """
      // Numbers the tokens of this call and moves the offset behind them: (1) -> (tokens)
      static void positions(int32_t *y, int32_t *offset, size_t tokens) {
        for (size_t t = 0; t < tokens; t++) y[t] = (*offset)++;
      }
      """
    case .dequantize:
      """
      // y = (code - zero) * scale, with one scale a token (scale_stride 1) or one for all (0): (tokens, n) -> (tokens, n)
      static void dequantize(
        float *y, const int8_t *x, size_t x_stride, const float *scale, const int32_t *zero,
        size_t scale_stride, size_t tokens, size_t n) {
        for (size_t t = 0; t < tokens; t++) {
          int32_t z = zero ? zero[t * scale_stride] : 0;
          float s = scale[t * scale_stride];
          for (size_t i = 0; i < n; i++) y[t * n + i] = (float)(x[t * x_stride + i] - z) * s;
        }
      }
      """
    }
  }
}
