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
