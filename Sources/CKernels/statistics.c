// Measuring activations, one channel at a time. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_statistics.h"

#include <math.h>

#include "kernels_common.h"

#define IRC_EXPONENT_BITS 0x7f800000u

IRC_CLONES void IRC_NAME(channel_range_f32)(
  float *IRC_RESTRICT low, float *IRC_RESTRICT high, double *IRC_RESTRICT sum,
  double *IRC_RESTRICT squares, uint64_t *IRC_RESTRICT skipped, const float *IRC_RESTRICT x, size_t rows, size_t n) {
  for (size_t row = 0; row < rows; row++, x += n) {
    // Selects and no branches, so that the loop runs in vector registers.
    for (size_t i = 0; i < n; i++) {
      float value = x[i];
      bool finite = (irc_bits_of_float(value) & IRC_EXPONENT_BITS) != IRC_EXPONENT_BITS;
      low[i] = finite && value < low[i] ? value : low[i];
      high[i] = finite && value > high[i] ? value : high[i];
      double known = finite ? (double)value : 0.0;
      sum[i] += known;
      squares[i] += known * known;
      skipped[i] += !finite;
    }
  }
}

IRC_CLONES void IRC_NAME(column_magnitude_f32)(
  float *IRC_RESTRICT peak, double *IRC_RESTRICT squares, const float *IRC_RESTRICT w, size_t rows,
  size_t n) {
  for (size_t row = 0; row < rows; row++, w += n) {
    for (size_t i = 0; i < n; i++) {
      float magnitude = fabsf(w[i]);
      peak[i] = magnitude > peak[i] ? magnitude : peak[i];
      squares[i] += (double)magnitude * magnitude;
    }
  }
}

IRC_CLONES void IRC_NAME(scaled_peak_squares_f32)(
  double *IRC_RESTRICT sums, const float *IRC_RESTRICT w, const double *IRC_RESTRICT factor,
  size_t rows, size_t n, size_t group) {
  for (size_t row = 0; row < rows; row++, w += n) {
    for (size_t start = 0, g = 0; start < n; start += group, g++) {
      size_t end = n - start < group ? n : start + group, i = start;
      // The largest of some numbers is the same in any order.
      double lane[IRC_LANES] = {0};
      for (; i + IRC_LANES <= end; i += IRC_LANES)
        for (size_t j = 0; j < IRC_LANES; j++) {
          double magnitude = fabs((double)w[i + j] * factor[i + j]);
          lane[j] = magnitude > lane[j] ? magnitude : lane[j];
        }
      for (size_t j = 0; i + j < end; j++) {
        double magnitude = fabs((double)w[i + j] * factor[i + j]);
        lane[j] = magnitude > lane[j] ? magnitude : lane[j];
      }
      double peak = 0;
      for (size_t j = 0; j < IRC_LANES; j++) peak = lane[j] > peak ? lane[j] : peak;
      sums[g] += peak * peak;
    }
  }
}

// Mantissa bits that do not tell bins apart: a float's 23 less the 4 that make 16 bins.
enum { IRC_BIN_SHIFT = 19, IRC_FIRST_BIN = (127 - 24) * 16 };

IRC_CLONES void IRC_NAME(channel_histogram_f32)(
  uint32_t *IRC_RESTRICT bins, const float *IRC_RESTRICT x, size_t rows, size_t n) {
  for (size_t row = 0; row < rows; row++, x += n) {
    for (size_t i = 0; i < n; i++) {
      uint32_t magnitude = irc_bits_of_float(x[i]) & 0x7fffffffu;
      if (magnitude >= IRC_EXPONENT_BITS) continue;
      int32_t bin = (int32_t)(magnitude >> IRC_BIN_SHIFT) - IRC_FIRST_BIN;
      bin = bin < 0 ? 0 : bin >= IRC_CHANNEL_BINS ? IRC_CHANNEL_BINS - 1 : bin;
      uint32_t *count = bins + i * IRC_CHANNEL_BINS + (size_t)bin;
      *count += *count != UINT32_MAX;
    }
  }
}

float IRC_NAME(channel_bin_edge)(size_t bin) {
  if (bin >= IRC_CHANNEL_BINS - 1) return INFINITY;
  return irc_float_of_bits((uint32_t)(bin + 1 + IRC_FIRST_BIN) << IRC_BIN_SHIFT);
}

IRC_CLONES bool IRC_NAME(all_finite_f32)(const float *x, size_t n) {
  uint32_t odd = 0;
  for (size_t i = 0; i < n; i++) {
    odd |= (irc_bits_of_float(x[i]) & IRC_EXPONENT_BITS) == IRC_EXPONENT_BITS;
  }
  return odd == 0;
}

IRC_CLONES void IRC_NAME(columns_f32_to_f64)(
  double *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, size_t rows, size_t n) {
  for (size_t row = 0; row < rows; row++) {
    for (size_t i = 0; i < n; i++) y[row * n + i] = x[row * x_stride + i];
  }
}

// ---- Second moments -----------------------------------------------------------------------------

IRC_CLONES void IRC_NAME(scale_rows_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, const float *factor,
  size_t rows, size_t n) {
  for (size_t row = 0; row < rows; row++, x += x_stride, y += n) {
    if (factor) {
      for (size_t i = 0; i < n; i++) y[i] = factor[row] * x[i];
    } else {
      memcpy(y, x, n * sizeof *y);
    }
  }
}

IRC_CLONES void IRC_NAME(accumulate_f64)(
  double *IRC_RESTRICT sum, const float *IRC_RESTRICT x, size_t n) {
  for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

void IRC_NAME(place_symmetric_f64)(
  double *IRC_RESTRICT a, const double *IRC_RESTRICT stripe, size_t first, size_t height, size_t n,
  const uint32_t *place, double factor) {
  // A run of columns at a time, so that the mirrored elements of it stay in cache.
  enum { RUN = 64 };
  size_t width = n - first;
  for (size_t start = 0; start < width; start += RUN) {
    size_t end = width - start < RUN ? width : start + RUN;
    for (size_t row = 0; row < height; row++) {
      size_t to = place ? place[first + row] : first + row;
      for (size_t i = start > row ? start : row; i < end; i++) {
        size_t other = place ? place[first + i] : first + i;
        double value = stripe[row * width + i] * factor;
        a[to * n + other] = value;
        a[other * n + to] = value;
      }
    }
  }
}
