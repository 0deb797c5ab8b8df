// The integer product, with or without a branch of low rank. Static like kernels_common.h.
#ifndef IRC_KERNELS_INTEGER_H
#define IRC_KERNELS_INTEGER_H

#include "kernels_packed.h"

// One row of levels, or of codes less their zero points: (in)
IRC_INLINE void irc_centre_row(int16_t *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  uint8_t mask = (uint8_t)((1u << w->bits) - 1);
  IRC_FOR_RUNS(w, row, {
    if (w->levels) {
      for (size_t i = 0; i < count; i++) y[at + i] = w->levels[(uint8_t)codes[i] & mask];
      continue;
    }
    int32_t zero = irc_zero_at(w, index);
    for (size_t i = 0; i < count; i++) y[at + i] = (int16_t)(codes[i] - zero);
  });
}

// The exact sums of rows of w times x - zero, |w| <= 255: sixteen-bit factors, partial sums that
// cannot leave 32 bits. (rows, n) with a stride . (n) -> (rows), rows 1 or 4
IRC_INLINE void irc_dot_integer(
  int64_t sum[4], const int16_t *IRC_RESTRICT w, size_t stride, const int8_t *IRC_RESTRICT x,
  int16_t zero, size_t n, size_t rows) {
  enum { CHUNK = 8192 };
  for (size_t r = 0; r < rows; r++) sum[r] = 0;
  for (size_t start = 0; start < n; start += CHUNK) {
    size_t end = n - start < CHUNK ? n : start + CHUNK;
    int32_t a = 0, b = 0, c = 0, d = 0;
    if (rows == 1) {
      for (size_t i = start; i < end; i++) a += (int32_t)w[i] * (int32_t)(int16_t)(x[i] - zero);
      sum[0] += a;
      continue;
    }
    for (size_t i = start; i < end; i++) {
      int32_t v = (int16_t)(x[i] - zero);
      a += (int32_t)w[i] * v;
      b += (int32_t)w[stride + i] * v;
      c += (int32_t)w[2 * stride + i] * v;
      d += (int32_t)w[3 * stride + i] * v;
    }
    sum[0] += a, sum[1] += b, sum[2] += c, sum[3] += d;
  }
}

// Rows o ..< o + rows of the product, rows 1 or 4, for every token; see linear_q_i8. The scales of
// four rows lie together: (groups, rows).
IRC_INLINE void irc_integer_rows(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, float *IRC_RESTRICT scratch, size_t o, size_t rows) {
  float *scales = scratch;
  int16_t *centred = (int16_t *)(void *)(scales + rows * w->groups);
  for (size_t r = 0; r < rows; r++) {
    irc_centre_row(centred + r * w->in, w, o + r);
    size_t first = irc_group_index(w, o + r), step = irc_group_step(w);
    for (size_t g = 0; g < w->groups; g++) {
      float scale = irc_scale_at(w, first + g * step);
      scales[g * rows + r] = w->levels ? scale * w->level_step : scale;
    }
  }
  for (size_t t = 0; t < tokens; t++, x += x_stride) {
    int16_t zero = x_zero ? (int16_t)x_zero[t * x_scale_stride] : 0;
    float acc[4] = {0};
    for (size_t g = 0; g < w->groups; g++) {
      size_t start = g * w->group;
      size_t length = w->in - start > w->group ? w->group : w->in - start;
      int64_t sum[4];
      irc_dot_integer(sum, centred + start, w->in, x + start, zero, length, rows);
      for (size_t r = 0; r < rows; r++) acc[r] = acc[r] + (float)sum[r] * scales[g * rows + r];
    }
    for (size_t r = 0; r < rows; r++) {
      float value = acc[r] * x_scale[t * x_scale_stride];
      y[t * y_stride + o + r] = bias ? value + bias[o + r] : value;
    }
  }
}

// Rows of the product from o on: four, unless so many scales leave no room in the scratch. Returns how many.
IRC_INLINE size_t irc_integer_step(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, float *IRC_RESTRICT scratch, size_t o) {
  // Each number of rows is compiled for itself.
  if (w->out - o >= 4 && 2 * w->groups <= irc_padded(w->in)) {
    irc_integer_rows(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch, o, 4);
    return 4;
  }
  irc_integer_rows(
    y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch, o, 1);
  return 1;
}

#endif
