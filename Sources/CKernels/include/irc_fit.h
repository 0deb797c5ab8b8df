// The compiler's side of formats whose values are found for the tensor: codebooks by k-means in one
// dimension, binary codes by least squares. None of this is emitted.
#ifndef IRC_FIT_H
#define IRC_FIT_H

#include "irc_encode.h"

#ifdef __cplusplus
extern "C" {
#endif

// How much the columns of a matrix matter: the error of a number in column c counts
// weight[c % period] times. The weights are finite and not negative; none of them counts less than a
// millionth of their mean, so that no column is without a value. NULL: all count alike.
typedef struct IRC_PLAIN_VALUE irc_importance {
  const float *weight;
  size_t period;
} irc_importance;

// Bytes of `scratch`, aligned as double, that fit_rows needs for groups of up to n numbers.
size_t IRC_NAME(fit_scratch_bytes)(size_t n, irc_code_spec spec);

// (rows, n) -> numbers (rows, groups, irc_group_numbers), those with the least sum of
// importance * (w - nearest value)^2 of each group, rounded to the scale type (F32 or F16, which
// saturates), of a kind without a scale.
//
//   LISTED: ascending. Up to 512 different numbers the optimum, by dynamic programming; of more, that
//     of 512 runs of neighbours is improved by Lloyd's steps. Of fewer numbers than codes all are
//     listed, the largest of them again for the rest.
//   SIGNED, OFFSET: factors ascending and not negative. Least squares and nearest values in turn, from
//     the greedy choice and from even grids over the range and 0.6 of it; the best end is kept, so
//     that no even grid over the range is better.
//
// NaNs are passed over; a group of nothing else has zeros. A group with an infinity has NaNs.
// Above 65536 numbers, neighbours that agree in sixteen bits go together.
void IRC_NAME(fit_rows)(
  float *IRC_RESTRICT numbers, const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n,
  irc_importance importance, irc_code_spec spec, void *IRC_RESTRICT scratch);

// x (rows, groups, count) -> y (groups, rows, count).
void IRC_NAME(swap_groups_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t rows, size_t groups, size_t count);

#ifdef __cplusplus
}
#endif
#endif
