// Quantized activations: their quantizers and the integer product.
#include "kernels_integer.h"

IRC_CLONES void IRC_NAME(quantize_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits) {
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_span span = irc_no_span();
    irc_widen(&span, x, n, zero != NULL);
    scale[t] = irc_quantize_token(
      codes, code_stride, zero ? zero + t : NULL, x, n, bits, span);
  }
}

IRC_CLONES void IRC_NAME(quantize_static_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT x, size_t x_stride,
  size_t tokens, size_t n, float scale, int32_t zero, int32_t low, int32_t high) {
  irc_code_range range = {low, high};
  float r = irc_reciprocal(scale);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_quantize(codes, x, n, r, zero, range);
    irc_pad_codes(codes, n, code_stride);
  }
}

IRC_CLONES void IRC_NAME(linear_q_i8)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  for (size_t o = 0, rows; o < w->out; o += rows) {
    rows = irc_integer_step(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, (float *)scratch,
      o);
  }
}
