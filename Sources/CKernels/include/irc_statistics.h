// Measuring activations, one channel (column) at a time. None of this is emitted.
#ifndef IRC_STATISTICS_H
#define IRC_STATISTICS_H

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Widens the range of each channel by the rows of x (rows, n) and adds up its values and their
// squares, row after row in double precision. Infinities and NaNs are counted in `skipped` and have no part in the rest.
// All arrays but x are (n).
void IRC_NAME(channel_range_f32)(
  float *IRC_RESTRICT low, float *IRC_RESTRICT high, double *IRC_RESTRICT sum,
  double *IRC_RESTRICT squares, uint64_t *IRC_RESTRICT skipped, const float *IRC_RESTRICT x, size_t rows, size_t n);

// Bins of magnitudes: 16 for each power of two from 2^-24 to 2^16. What lies outside counts in the
// first or last bin.
enum { IRC_CHANNEL_BINS = 16 * 40 };

// Counts the finite magnitudes of x (rows, n) in bins (n, IRC_CHANNEL_BINS). A full counter stays
// full.
void IRC_NAME(channel_histogram_f32)(
  uint32_t *IRC_RESTRICT bins, const float *IRC_RESTRICT x, size_t rows, size_t n);

// The edge above a bin; infinity for the last.
float IRC_NAME(channel_bin_edge)(size_t bin);

// True if every one of n elements is finite.
bool IRC_NAME(all_finite_f32)(const float *x, size_t n);

// Widens the largest magnitude of each column by the rows of w (rows, n) and adds up squares, row after
// row. Both arrays are (n).
void IRC_NAME(column_magnitude_f32)(
  float *IRC_RESTRICT peak, double *IRC_RESTRICT squares, const float *IRC_RESTRICT w, size_t rows,
  size_t n);

// sums[g] += the square of the largest |w * factor| of columns g * group .. of a row, row after row:
// w (rows, n), factor (n), sums (ceil(n / group)).
void IRC_NAME(scaled_peak_squares_f32)(
  double *IRC_RESTRICT sums, const float *IRC_RESTRICT w, const double *IRC_RESTRICT factor,
  size_t rows, size_t n, size_t group);

// y = x for the first n columns of rows with a stride: (rows, n) -> (rows, n)
void IRC_NAME(columns_f32_to_f64)(
  double *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, size_t rows, size_t n);

// y[r, i] = factor[r] * x[r, i], or x[r, i] where `factor` is NULL: (rows, n) with a stride -> (rows, n)
void IRC_NAME(scale_rows_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, const float *factor,
  size_t rows, size_t n);

// sum += x: (n), (n) -> (n)
void IRC_NAME(accumulate_f64)(double *IRC_RESTRICT sum, const float *IRC_RESTRICT x, size_t n);

// Puts the rows first ..< first + height of a symmetric matrix (n, n), given from the diagonal block
// on as (height, n - first), where they belong with everything in another order: element (i, j)
// times `factor` goes to (place[i], place[j]) and (place[j], place[i]). `place` NULL: as it is.
void IRC_NAME(place_symmetric_f64)(
  double *IRC_RESTRICT a, const double *IRC_RESTRICT stripe, size_t first, size_t height, size_t n,
  const uint32_t *place, double factor);

#ifdef __cplusplus
}
#endif

#endif
