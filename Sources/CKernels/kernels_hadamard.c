// Fast Hadamard transforms of rows.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define IRC_REAL float
#define IRC_STEP(name) irc_hadamard_##name##_f32
#include "kernels_hadamard.h"

IRC_CLONES void IRC_NAME(hadamard_f32)(
  float *y, const float *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  float *IRC_RESTRICT scratch) {
  irc_hadamard_rows_f32(y, x, x_stride, rows, n, h, scratch);
}

IRC_CLONES void IRC_NAME(hadamard_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits, const irc_hadamard *h, float *IRC_RESTRICT scratch) {
  float *row = scratch + irc_hadamard_scratch(h);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    irc_hadamard_rows_f32(row, x, n, 1, n, h, scratch);
    irc_span span = irc_no_span();
    irc_widen(&span, row, n, zero != NULL);
    scale[t] = irc_quantize_token(codes, code_stride, zero ? zero + t : NULL, row, n, bits, span);
  }
}
