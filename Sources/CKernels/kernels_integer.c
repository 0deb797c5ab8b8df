// Quantized activations: their quantizers, the integer product, and the table of portable kernels.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "kernels_packed.h"

IRC_CLONES void IRC_NAME(quantize_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits) {
  irc_code_range range = irc_range_of_codes(bits, zero == NULL);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    float s;
    int32_t z = 0;
    if (zero) {
      float low, high;
      irc_minmax(&low, &high, x, n);
      s = irc_scale_asymmetric(low, high, bits);
      z = irc_zero_point(low, s, range);
      zero[t] = z;
    } else {
      s = irc_scale_symmetric(irc_absmax(x, n), bits);
    }
    float r = irc_reciprocal(s);
    scale[t] = s <= FLT_MAX && r == 0.0f ? 0.0f : s;
    irc_quantize(codes, x, n, r, z, range);
    for (size_t i = n; i < code_stride; i++) codes[i] = 0;
  }
}

IRC_CLONES void IRC_NAME(quantize_static_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT x, size_t x_stride,
  size_t tokens, size_t n, float scale, int32_t zero, int32_t low, int32_t high) {
  irc_code_range range = {low, high};
  float r = irc_reciprocal(scale);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_quantize(codes, x, n, r, zero, range);
    for (size_t i = n; i < code_stride; i++) codes[i] = 0;
  }
}

// The exact sum of w * (x - zero), |w| <= 255: sixteen-bit factors, partial sums that cannot leave
// 32 bits.
IRC_INLINE int64_t irc_dot_integer(
  const int16_t *IRC_RESTRICT w, const int8_t *IRC_RESTRICT x, int16_t zero, size_t n) {
  enum { CHUNK = 8192 };
  int64_t total = 0;
  for (size_t start = 0; start < n; start += CHUNK) {
    size_t end = n - start < CHUNK ? n : start + CHUNK;
    int32_t sum = 0;
    for (size_t i = start; i < end; i++) sum += (int32_t)w[i] * (int32_t)(int16_t)(x[i] - zero);
    total += sum;
  }
  return total;
}

// One row of codes less their zero points: (in)
IRC_INLINE void irc_centre_row(int16_t *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  IRC_FOR_RUNS(w, row, {
    int32_t zero = irc_zero_at(w, index);
    for (size_t i = 0; i < count; i++) y[at + i] = (int16_t)(codes[i] - zero);
  });
}

IRC_CLONES void IRC_NAME(linear_q_i8)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  int16_t *centred = (int16_t *)scratch;
  for (size_t o = 0; o < w->out; o++) {
    irc_centre_row(centred, w, o);
    for (size_t t = 0; t < tokens; t++) {
      int16_t zero = x_zero ? (int16_t)x_zero[t * x_scale_stride] : 0;
      float acc = 0;
      for (size_t g = 0; g < w->groups; g++) {
        size_t start = g * w->group;
        size_t length = w->in - start > w->group ? w->group : w->in - start;
        int64_t sum = irc_dot_integer(centred + start, x + t * x_stride + start, zero, length);
        acc = acc + (float)sum * irc_scale_at(w, o * w->groups + g);
      }
      float value = acc * x_scale[t * x_scale_stride];
      y[t * y_stride + o] = bias ? value + bias[o] : value;
    }
  }
}

const irc_kernels *IRC_NAME(kernels_portable)(void) {
  static const irc_kernels table = {
    .name = "portable",
    .linear_f32 = IRC_NAME(linear_f32),
    .linear_f16 = IRC_NAME(linear_f16),
    .linear_q_f32 = IRC_NAME(linear_q_f32),
    .linear_q_i8 = IRC_NAME(linear_q_i8),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
  };
  return &table;
}
