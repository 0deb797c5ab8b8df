// Hadamard transforms that only the compiler itself needs: in double precision, and of columns.
#ifndef IRC_HADAMARD_H
#define IRC_HADAMARD_H

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// hadamard_f32 in double precision.
void irc_hadamard_f64(
  double *y, const double *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  double *IRC_RESTRICT scratch);

// The columns that hadamard_columns_* take at once, and the numbers that their `scratch` holds.
enum { IRC_HADAMARD_COLUMNS = 32 };
static inline size_t irc_hadamard_column_scratch(const irc_hadamard *h) {
  return h->order * IRC_HADAMARD_COLUMNS + irc_hadamard_scratch(h);
}

// The same transform of columns: (order, width) -> (order, width), each with a stride, width at most
// IRC_HADAMARD_COLUMNS. Every column gets the bits that it would get as a row. y may be x itself.
void irc_hadamard_columns_f32(
  float *y, size_t y_stride, const float *x, size_t x_stride, size_t width, const irc_hadamard *h,
  float *IRC_RESTRICT scratch);
void irc_hadamard_columns_f64(
  double *y, size_t y_stride, const double *x, size_t x_stride, size_t width,
  const irc_hadamard *h, double *IRC_RESTRICT scratch);

#ifdef __cplusplus
}
#endif
#endif
