// Elementwise functions, norms and quantizers in vectors of sixteen, the same bits as the portable
// ones: read once for each instruction set, behind a file that says what a vector is.
#include "kernels_vector_quantize.h"

// ---- Functions of one number --------------------------------------------------------------------

IRC_VECTOR irc_v irc_v_exp(irc_v x) {
  irc_v rounder = irc_v_set(IRC_ROUNDER);
  x = irc_v_min(irc_v_set(89.0f), x);
  x = irc_v_max(irc_v_set(-104.0f), x);
  irc_v shifted = irc_v_add(irc_v_mul(x, irc_v_set(0x1.715476p0f)), rounder);
  irc_v k = irc_v_sub(shifted, rounder);
  irc_v r = irc_v_sub(x, irc_v_mul(k, irc_v_set(0.693359375f)));
  r = irc_v_sub(r, irc_v_mul(k, irc_v_set(-2.12194440e-4f)));
  irc_v p = irc_v_add(irc_v_mul(irc_v_set(1.3926193e-3f), r), irc_v_set(8.3631862e-3f));
  p = irc_v_add(irc_v_mul(p, r), irc_v_set(4.1666555e-2f));
  p = irc_v_add(irc_v_mul(p, r), irc_v_set(1.6666577e-1f));
  p = irc_v_add(irc_v_mul(p, r), irc_v_set(0.5f));
  p = irc_v_add(irc_v_mul(irc_v_mul(p, r), r), r);
  return irc_v_scale(irc_v_add(p, irc_v_set(1.0f)), k, shifted);
}

// exp(-|x|), with the sign of a NaN as irc_silu has it.
IRC_VECTOR irc_v irc_v_exp_below(irc_v x) { return irc_v_exp(irc_v_min(x, irc_v_negate(x))); }

IRC_VECTOR irc_v irc_v_softplus(irc_v x) {
  irc_v u = irc_v_exp_below(x);
  irc_v s = irc_v_div(u, irc_v_add(irc_v_set(2.0f), u)), z = irc_v_mul(s, s);
  irc_v p = irc_v_add(irc_v_mul(irc_v_set(1.1611614e-1f), z), irc_v_set(1.0853288e-1f));
  p = irc_v_add(irc_v_mul(p, z), irc_v_set(1.4296179e-1f));
  p = irc_v_add(irc_v_mul(p, z), irc_v_set(1.9999853e-1f));
  p = irc_v_add(irc_v_mul(p, z), irc_v_set(3.3333334e-1f));
  irc_v twice = irc_v_add(s, s);
  irc_v log1p = irc_v_add(twice, irc_v_mul(twice, irc_v_mul(p, z)));
  return irc_v_add(irc_v_max(x, irc_v_set(0.0f)), log1p);
}

// x / (1 + exp(-gate))
IRC_VECTOR irc_v irc_v_scaled_silu(irc_v x, irc_v gate) {
  irc_v e = irc_v_exp_below(gate);
  return irc_v_div(
    irc_v_if_negative(gate, irc_v_mul(x, e), x), irc_v_add(irc_v_set(1.0f), e));
}

// ---- Rows of them -------------------------------------------------------------------------------

// `value` for every i < n, by the number of lanes: all sixteen, or the `some` at the end. y may be an
// input itself.
#define IRC_V_ROW(y, n, value, value_of_some)             \
  do {                                                    \
    size_t i = 0;                                         \
    for (; i + IRC_LANES <= (n); i += IRC_LANES)          \
      irc_v_store((y) + i, value);                        \
    if (i < (n)) {                                        \
      size_t some = (n) - i;                              \
      irc_v_store_some((y) + i, value_of_some, some);     \
    }                                                     \
  } while (0)

#define IRC_V_OF_X(f) IRC_V_ROW(y, n, f(irc_v_load(x + i)), f(irc_v_load_some(x + i, some)))

IRC_KERNEL void IRC_OF_SET(exp_f32)(float *y, const float *x, size_t n) { IRC_V_OF_X(irc_v_exp); }

IRC_KERNEL void IRC_OF_SET(negate_f32)(float *y, const float *x, size_t n) {
  IRC_V_OF_X(irc_v_negate);
}

IRC_KERNEL void IRC_OF_SET(silu_rows_f32)(
  float *y, const float *x, size_t x_stride, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n)
    IRC_V_ROW(
      y, n, irc_v_scaled_silu(irc_v_load(x + i), irc_v_load(x + i)),
      irc_v_scaled_silu(irc_v_load_some(x + i, some), irc_v_load_some(x + i, some)));
}

IRC_KERNEL void IRC_OF_SET(softplus_rows_f32)(
  float *y, const float *x, size_t x_stride, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n) IRC_V_OF_X(irc_v_softplus);
}

IRC_KERNEL void IRC_OF_SET(scaled_silu_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *scale, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n)
    IRC_V_ROW(
      y, n,
      irc_v_scaled_silu(
        irc_v_load(x + i), irc_v_mul(irc_v_load(x + i), irc_v_load(scale + i))),
      irc_v_scaled_silu(
        irc_v_load_some(x + i, some),
        irc_v_mul(irc_v_load_some(x + i, some), irc_v_load_some(scale + i, some))));
}

#define IRC_V_OF_TWO(f, a, b)                                       \
  IRC_V_ROW(                                                        \
    y, n, f(irc_v_load((a) + i), irc_v_load((b) + i)),              \
    f(irc_v_load_some((a) + i, some), irc_v_load_some((b) + i, some)))

IRC_KERNEL void IRC_OF_SET(div_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *divisor, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n)
    IRC_V_OF_TWO(irc_v_div, x, divisor);
}

IRC_KERNEL void IRC_OF_SET(add_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t rows,
  size_t n) {
  for (size_t r = 0; r < rows; r++, a += a_stride, b += b_stride, y += n)
    IRC_V_OF_TWO(irc_v_add, a, b);
}

IRC_KERNEL void IRC_OF_SET(mul_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride, size_t rows,
  size_t n) {
  for (size_t r = 0; r < rows; r++, a += a_stride, b += b_stride, y += n)
    IRC_V_OF_TWO(irc_v_mul, a, b);
}

// ---- Norms --------------------------------------------------------------------------------------

// The sums of squares of up to four rows, whose chains of additions run side by side.
IRC_VECTOR void irc_v_squares(
  float sums[4], const float *x, size_t x_stride, size_t rows, size_t n) {
  irc_v lane[4];
  IRC_UNROLL for (size_t r = 0; r < 4; r++) lane[r] = irc_v_set(0.0f);
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES)
    IRC_UNROLL for (size_t r = 0; r < rows; r++) {
      irc_v v = irc_v_load(x + r * x_stride + i);
      lane[r] = irc_v_add(lane[r], irc_v_mul(v, v));
    }
  if (i < n)
    IRC_UNROLL for (size_t r = 0; r < rows; r++) {
      irc_v v = irc_v_load_some(x + r * x_stride + i, n - i);
      lane[r] = irc_v_add(lane[r], irc_v_mul(v, v));
    }
  IRC_UNROLL for (size_t r = 0; r < rows; r++) sums[r] = irc_v_sum(lane[r]);
}

IRC_KERNEL void IRC_OF_SET(rms_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, size_t rows, size_t n, float eps) {
  for (size_t first = 0, count; first < rows; first += count) {
    float sums[4];
    count = rows - first < 4 ? 1 : 4;
    if (count == 4)
      irc_v_squares(sums, x, x_stride, 4, n);
    else
      irc_v_squares(sums, x, x_stride, 1, n);
    for (size_t r = 0; r < count; r++, x += x_stride, y += n) {
      irc_v factor = irc_v_set(1.0f / sqrtf(sums[r] / (float)n + eps));
      if (gain)
        IRC_V_ROW(
          y, n, irc_v_mul(irc_v_mul(irc_v_load(x + i), factor), irc_v_load(gain + i)),
          irc_v_mul(
            irc_v_mul(irc_v_load_some(x + i, some), factor), irc_v_load_some(gain + i, some)));
      else
        IRC_V_ROW(
          y, n, irc_v_mul(irc_v_load(x + i), factor),
          irc_v_mul(irc_v_load_some(x + i, some), factor));
    }
  }
}

IRC_KERNEL void IRC_OF_SET(layer_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, const float *bias, size_t rows,
  size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n) {
    irc_v lane = irc_v_set(0.0f);
    size_t at = 0;
    for (; at + IRC_LANES <= n; at += IRC_LANES) lane = irc_v_add(lane, irc_v_load(x + at));
    if (at < n) lane = irc_v_add(lane, irc_v_load_some(x + at, n - at));
    irc_v mean = irc_v_set(irc_v_sum(lane) / (float)n);
    IRC_V_ROW(
      y, n, irc_v_sub(irc_v_load(x + i), mean), irc_v_sub(irc_v_load_some(x + i, some), mean));
    float squares[4];
    irc_v_squares(squares, y, n, 1, n);
    irc_v factor = irc_v_set(1.0f / sqrtf(squares[0] / (float)n + eps));
    for (at = 0; at < n; at += IRC_LANES) {
      size_t some = n - at < IRC_LANES ? n - at : IRC_LANES;
      irc_v v = irc_v_mul(irc_v_load_some(y + at, some), factor);
      if (gain) v = irc_v_mul(v, irc_v_load_some(gain + at, some));
      if (bias) v = irc_v_add(v, irc_v_load_some(bias + at, some));
      irc_v_store_some(y + at, v, some);
    }
  }
}

// ---- Quantizers ---------------------------------------------------------------------------------

IRC_KERNEL void IRC_OF_SET(quantize_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits) {
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_span span = irc_no_span();
    irc_v_widen(&span, x, n, zero != NULL);
    scale[t] =
      irc_v_quantize_token(codes, code_stride, zero ? zero + t : NULL, x, n, bits, span);
  }
}

IRC_KERNEL void IRC_OF_SET(quantize_static_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT x, size_t x_stride,
  size_t tokens, size_t n, float scale, int32_t zero, int32_t low, int32_t high) {
  float r = irc_reciprocal(scale);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_v_quantize(codes, x, n, r, zero, (float)(low - zero), (float)(high - zero));
    irc_pad_codes(codes, n, code_stride);
  }
}
