// The compiler's side of calibrated rounding: columns that make up for each other's errors, and
// scales with the least rounding error. None of this is emitted.
#ifndef IRC_ROUNDING_H
#define IRC_ROUNDING_H

#include "irc_encode.h"

#ifdef __cplusplus
extern "C" {
#endif

// Columns of x (rows, n), with a stride, one below another: (n, rows). Row p of y is column order[p]
// of x, or column p where `order` is NULL.
void IRC_NAME(gather_columns_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, const uint32_t *order,
  size_t rows, size_t n);
void IRC_NAME(gather_columns_i8)(
  int8_t *IRC_RESTRICT y, const int8_t *IRC_RESTRICT x, size_t x_stride, const uint32_t *order,
  size_t rows, size_t n);

// The way back: x (n, rows) -> y (rows, n) with a stride.
void IRC_NAME(scatter_columns_i8)(
  int8_t *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, const uint32_t *order,
  size_t rows, size_t n);

// Rows that go through a block together: 128 columns of them fit into the first-level cache.
enum { IRC_ROW_TILE = 64 };

// Rounds the first `count` of `width` columns, one after another, and lets the columns behind each
// make up for its error: algorithm 1 of GPTQ (arXiv 2210.17323), inside a block.
//
// Matrices are stored column by column, (columns, rows). Column i of w gets codes under the scales
// and zero points (NULL: all zero) in row group[i] of `scale` and `zero`, each (groups, rows).
// error[i] = (value of the codes - w[i]) / u[i, i], and w[j] += error[i] * u[i, j] for
// i < j < width, with u row by row with a stride. w[0 ..< count] is used up. `spec.group` must be 0.
// Of kinds without a scale, `scale` is (groups, rows, numbers of a group), and `tables` is room for
// IRC_ROW_TILE of them; NULL with the others.
// Returns the sum of the squared errors.
double IRC_NAME(round_columns)(
  int8_t *IRC_RESTRICT codes, float *IRC_RESTRICT w, float *IRC_RESTRICT error,
  const float *IRC_RESTRICT u, size_t u_stride, const float *IRC_RESTRICT scale,
  const int8_t *IRC_RESTRICT zero, const uint32_t *IRC_RESTRICT group, size_t rows, size_t count,
  size_t width, irc_code_spec spec, irc_code_table *IRC_RESTRICT tables);

// Floats of `scratch` that search_params_rows needs for groups of up to n columns.
static inline size_t irc_search_scratch(size_t n) { return 3 * n; }

// As encode_params_rows, but each group's range is narrowed to the fraction (1, 0.99 ... 0.16, found
// by steps of 0.05 and then of 0.01) with the least sum of |w - value of its code|^norm. Of equal
// sums the widest range counts. Groups with infinities or NaNs keep the whole range.
void IRC_NAME(search_params_rows)(
  float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero, const float *IRC_RESTRICT w,
  size_t w_stride, size_t rows, size_t n, irc_code_spec spec, float norm,
  float *IRC_RESTRICT scratch);

// The upper triangle, row by row, of the matrix whose elements stand in `a` (n, n) from the last to
// the first; zeros below it.
void IRC_NAME(reversed_upper_f32)(float *IRC_RESTRICT u, const double *IRC_RESTRICT a, size_t n);

#ifdef __cplusplus
}
#endif
#endif
