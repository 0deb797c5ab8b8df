// Linear layers on float activations: weights in single precision, half precision, or quantized.
#include "kernels_packed.h"

// Up to four rows of w against every token: they stay in the first-level cache meanwhile.
// (tokens, in) @ (rows, in)^T -> (tokens, rows)
IRC_INLINE void irc_linear_rows(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const float *IRC_RESTRICT w, size_t w_stride, const float *bias, size_t tokens, size_t in,
  size_t rows) {
  for (size_t t = 0; t < tokens; t++, x += x_stride, y += y_stride) {
    float dot[4];
    if (rows == 4)
      irc_dot4(dot, w, w_stride, x, in);
    else
      for (size_t r = 0; r < rows; r++) dot[r] = irc_dot(w + r * w_stride, x, in);
    for (size_t r = 0; r < rows; r++) y[r] = bias ? dot[r] + bias[r] : dot[r];
  }
}

IRC_INLINE size_t irc_rows_left(size_t first, size_t out) {
  return out - first < 4 ? out - first : 4;
}

IRC_CLONES void IRC_NAME(linear_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const float *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out) {
  for (size_t o = 0; o < out; o += 4)
    irc_linear_rows(
      y + o, y_stride, x, x_stride, w + o * in, in, bias ? bias + o : NULL, tokens, in,
      irc_rows_left(o, out));
}

IRC_CLONES void IRC_NAME(linear_f16)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const uint16_t *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out,
  void *IRC_RESTRICT scratch) {
  float *rows = (float *)scratch;
  for (size_t o = 0; o < out; o += 4) {
    size_t count = irc_rows_left(o, out);
    irc_floats_of_f16(rows, w + o * in, count * in);
    irc_linear_rows(
      y + o, y_stride, x, x_stride, rows, in, bias ? bias + o : NULL, tokens, in, count);
  }
}

IRC_INLINE void irc_dequantize(
  float *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  if (w->kind != IRC_CODES_SCALED) {
    irc_dequantize_fitted(y, w, row);
    return;
  }
  const float *values = w->values;
  uint8_t mask = (uint8_t)((1u << w->bits) - 1);
  IRC_FOR_RUNS(w, row, {
    float scale = irc_scale_at(w, index);
    if (values) {
      for (size_t i = 0; i < count; i++) y[at + i] = values[(uint8_t)codes[i] & mask] * scale;
    } else {
      int32_t zero = irc_zero_at(w, index);
      for (size_t i = 0; i < count; i++) y[at + i] = (float)(codes[i] - zero) * scale;
    }
  });
}

IRC_CLONES void IRC_NAME(dequantize_row)(
  float *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  irc_dequantize(y, w, row);
}

IRC_CLONES void IRC_NAME(linear_q_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  float *rows = (float *)scratch;
  for (size_t o = 0; o < w->out; o += 4) {
    size_t count = irc_rows_left(o, w->out);
    for (size_t r = 0; r < count; r++) irc_dequantize(rows + r * w->in, w, o + r);
    irc_linear_rows(
      y + o, y_stride, x, x_stride, rows, w->in, bias ? bias + o : NULL, tokens, w->in, count);
  }
}

IRC_CLONES void IRC_NAME(linear_q_f32_up)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,
  size_t hidden_stride, const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch) {
  float *rows = (float *)scratch, *room = rows + 4 * irc_padded(w->in);
  for (size_t o = 0; o < w->out; o += 4) {
    size_t count = irc_rows_left(o, w->out);
    for (size_t r = 0; r < count; r++) irc_dequantize(rows + r * w->in, w, o + r);
    irc_linear_rows(
      y + o, y_stride, x, x_stride, rows, w->in, bias ? bias + o : NULL, tokens, w->in, count);
    irc_add_up(y + o, y_stride, hidden, hidden_stride, up, tokens, room, o, count);
  }
}
