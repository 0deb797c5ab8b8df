// Hadamard transforms in double precision and of columns, for folding constants.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_hadamard.h"

#define IRC_REAL float
#define IRC_STEP(name) irc_hadamard_##name##_f32
#include "kernels_hadamard.h"
#undef IRC_REAL
#undef IRC_STEP
#define IRC_REAL double
#define IRC_STEP(name) irc_hadamard_##name##_f64
#include "kernels_hadamard.h"

IRC_CLONES void irc_hadamard_f64(
  double *y, const double *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  double *IRC_RESTRICT scratch) {
  irc_hadamard_rows_f64(y, x, x_stride, rows, n, h, scratch);
}

// Columns side by side in dense memory, where the distance between neighbours is a whole run of lanes.
#define COLUMNS(real, suffix)                                                                    \
  size_t run = IRC_HADAMARD_COLUMNS;                                                             \
  real *block = scratch, *rest = scratch + h->order * run;                                       \
  for (size_t i = 0; i < h->order; i++) {                                                        \
    real factor = (real)h->scale;                                                                \
    if (h->signs_before) factor *= (real)irc_hadamard_sign_##suffix(h->signs_before, i);         \
    for (size_t c = 0; c < width; c++) block[i * run + c] = x[i * x_stride + c] * factor;        \
    for (size_t c = width; c < run; c++) block[i * run + c] = 0;                                 \
  }                                                                                              \
  irc_hadamard_bases_##suffix(block, run, h, rest);                                              \
  if (h->power > 1)                                                                              \
    irc_hadamard_passes_##suffix(block, h->order * run, h->power / 2 * run, run);                \
  for (size_t i = 0; i < h->order; i++) {                                                        \
    real factor = 1;                                                                             \
    if (h->signs_after) factor = (real)irc_hadamard_sign_##suffix(h->signs_after, i);            \
    for (size_t c = 0; c < width; c++) y[i * y_stride + c] = block[i * run + c] * factor;        \
  }

IRC_CLONES void irc_hadamard_columns_f32(
  float *y, size_t y_stride, const float *x, size_t x_stride, size_t width, const irc_hadamard *h,
  float *IRC_RESTRICT scratch) {
  COLUMNS(float, f32)
}

IRC_CLONES void irc_hadamard_columns_f64(
  double *y, size_t y_stride, const double *x, size_t x_stride, size_t width,
  const irc_hadamard *h, double *IRC_RESTRICT scratch) {
  COLUMNS(double, f64)
}
