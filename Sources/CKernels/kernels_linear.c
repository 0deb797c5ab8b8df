// Linear layers on float activations: weights in single precision, half precision, or quantized.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "kernels_common.h"

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
  enum { CHUNK = 256 };
  const uint8_t *packed = (const uint8_t *)w->codes + row * w->row_bytes;
  for (size_t g = 0; g < w->groups; g++) {
    float scale = irc_scale_at(w, row * w->groups + g);
    int32_t zero = irc_zero_at(w, row * w->groups + g);
    size_t start = g * w->group;
    size_t end = w->in - start > w->group ? start + w->group : w->in;
    for (size_t at = start; at < end; at += CHUNK) {
      int8_t codes[CHUNK];
      size_t count = end - at < CHUNK ? end - at : CHUNK;
      irc_unpack(
        codes, packed + at / IRC_BLOCK * irc_block_bytes(w->bits), irc_padded(count) / IRC_BLOCK,
        w->bits);
      for (size_t i = 0; i < count; i++) y[at + i] = (float)(codes[i] - zero) * scale;
    }
  }
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
