// Calibrated rounding. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_rounding.h"

#include <math.h>

#include "encode_common.h"

// ---- Columns one below another ------------------------------------------------------------------

// Columns that are moved at a time, so that whole cache lines of x are used.
enum { IRC_COLUMN_RUN = 16 };

#define IRC_FOR_COLUMN_RUNS(body)                                                       \
  for (size_t start = 0; start < n; start += IRC_COLUMN_RUN) {                          \
    size_t end = n - start < IRC_COLUMN_RUN ? n : start + IRC_COLUMN_RUN;               \
    for (size_t r = 0; r < rows; r++)                                                   \
      for (size_t p = start; p < end; p++) {                                            \
        size_t column = order ? order[p] : p;                                           \
        body                                                                            \
      }                                                                                 \
  }

void IRC_NAME(gather_columns_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, const uint32_t *order,
  size_t rows, size_t n) {
  IRC_FOR_COLUMN_RUNS({ y[p * rows + r] = x[r * x_stride + column]; })
}

void IRC_NAME(gather_columns_i8)(
  int8_t *IRC_RESTRICT y, const int8_t *IRC_RESTRICT x, size_t x_stride, const uint32_t *order,
  size_t rows, size_t n) {
  IRC_FOR_COLUMN_RUNS({ y[p * rows + r] = x[r * x_stride + column]; })
}

void IRC_NAME(scatter_columns_i8)(
  int8_t *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, const uint32_t *order,
  size_t rows, size_t n) {
  IRC_FOR_COLUMN_RUNS({ y[r * y_stride + column] = x[p * rows + r]; })
}

// ---- Rounding column by column ------------------------------------------------------------------

// Codes of a column under tables, one for each row, and the values that they stand for.
IRC_INLINE void irc_round_fitted(
  int8_t *IRC_RESTRICT codes, float *IRC_RESTRICT values, const float *IRC_RESTRICT w,
  const irc_code_table *tables, size_t rows) {
  uint8_t mask = (uint8_t)((1u << tables[0].bits) - 1);
  for (size_t r = 0; r < rows; r++) {
    irc_search_levels(codes + r, w + r, 1, 1.0f, tables + r, 1u << (tables[r].bits - 1));
    values[r] = tables[r].values[(uint8_t)codes[r] & mask];
  }
}

// The tables of the groups of a tile, from their numbers.
static void irc_group_tables(
  irc_code_table *tables, const float *numbers, size_t rows, irc_code_spec spec) {
  for (size_t r = 0; r < rows; r++)
    irc_group_table(tables + r, numbers + r * irc_group_numbers(spec.kind, spec.bits), spec);
}

IRC_CLONES double IRC_NAME(round_columns)(
  int8_t *IRC_RESTRICT codes, float *IRC_RESTRICT w, float *IRC_RESTRICT error,
  const float *IRC_RESTRICT u, size_t u_stride, const float *IRC_RESTRICT scale,
  const int8_t *IRC_RESTRICT zero, const uint32_t *IRC_RESTRICT group, size_t rows, size_t count,
  size_t width, irc_code_spec spec, irc_code_table *IRC_RESTRICT tables) {
  double lane[IRC_LANES] = {0};
  size_t numbers = irc_group_numbers(spec.kind, spec.bits);
  for (size_t first = 0; first < rows; first += IRC_ROW_TILE) {
    size_t tile = rows - first < IRC_ROW_TILE ? rows - first : IRC_ROW_TILE;
    for (size_t i = 0; i < count; i++) {
      size_t place = i * rows + first, params = group[i] * rows + first;
      const float *pivot = u + i * u_stride;
      float value[IRC_ROW_TILE], e[IRC_ROW_TILE] = {0};
      const int8_t *zeros = zero ? zero + params : NULL;
      if (spec.kind != IRC_CODES_SCALED) {
        if (i == 0 || group[i] != group[i - 1])
          irc_group_tables(tables, scale + params * numbers, tile, spec);
        irc_round_fitted(codes + place, value, w + place, tables, tile);
      } else {
        IRC_NAME(encode_rows)(codes + place, 1, w + place, 1, scale + params, zeros, tile, 1, spec);
        IRC_NAME(decode_rows)(value, 1, codes + place, 1, scale + params, zeros, tile, 1, spec);
      }
      for (size_t r = 0; r < tile; r++) e[r] = (value[r] - w[place + r]) / pivot[i];
      memcpy(error + place, e, tile * sizeof *e);
      for (size_t r = 0; r < IRC_ROW_TILE; r += IRC_LANES)
        for (size_t l = 0; l < IRC_LANES; l++) lane[l] += (double)e[r + l] * e[r + l];
      for (size_t j = i + 1; j < width; j++) {
        float *IRC_RESTRICT target = w + j * rows + first;
        float factor = pivot[j];
        for (size_t r = 0; r < tile; r++) target[r] += e[r] * factor;
      }
    }
  }
  double sum = 0;
  for (size_t l = 0; l < IRC_LANES; l++) sum += lane[l];
  return sum;
}

void IRC_NAME(reversed_upper_f32)(float *IRC_RESTRICT u, const double *IRC_RESTRICT a, size_t n) {
  const double *last = a + n * n - 1;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < i; j++) u[i * n + j] = 0;
    for (size_t j = i; j < n; j++) u[i * n + j] = (float)*(last - (i * n + j));
  }
}

// ---- Scales with the least error ----------------------------------------------------------------

// log(x) for a normal x > 0, good to about 1e-6.
IRC_INLINE float irc_log_normal(float x) {
  // The mantissa between the square roots of 1/2 and 2.
  uint32_t bits = irc_bits_of_float(x) - 0x3f3504f3u;
  float exponent = (float)((int32_t)bits >> 23);
  float m = irc_float_of_bits((bits & 0x007fffffu) + 0x3f3504f3u);
  float s = (m - 1.0f) / (m + 1.0f);
  float z = s * s;
  float p = 1.4301165e-1f;
  p = p * z + 2.0000000e-1f;
  p = p * z + 3.3333333e-1f;
  float twice = s + s;
  return twice + twice * (p * z) + exponent * 0.69314718f;
}

// |x|^norm; 0 for anything that is subnormal.
IRC_INLINE float irc_power(float x, float norm) {
  float magnitude = irc_float_of_bits(irc_bits_of_float(x) & 0x7fffffffu);
  bool counts = magnitude >= FLT_MIN;
  return irc_select(counts, irc_exp(norm * irc_log_normal(irc_select(counts, magnitude, 1))), 0);
}

// The sum of |(w - v) * factor|^norm.
IRC_INLINE double irc_distance(
  const float *IRC_RESTRICT w, const float *IRC_RESTRICT v, size_t n, float factor, float norm) {
  double total = 0;
  for (size_t start = 0; start < n; start += 1024) {
    size_t end = n - start < 1024 ? n : start + 1024;
    float lane[IRC_LANES] = {0};
    size_t i = start;
    if (norm == 2.0f) {
      for (; i + IRC_LANES <= end; i += IRC_LANES)
        for (size_t l = 0; l < IRC_LANES; l++) {
          float d = (w[i + l] - v[i + l]) * factor;
          lane[l] += d * d;
        }
    } else {
      for (; i + IRC_LANES <= end; i += IRC_LANES)
        for (size_t l = 0; l < IRC_LANES; l++)
          lane[l] += irc_power((w[i + l] - v[i + l]) * factor, norm);
    }
    for (size_t l = 0; i + l < end; l++) {
      float d = (w[i + l] - v[i + l]) * factor;
      lane[l] += norm == 2.0f ? d * d : irc_power(d, norm);
    }
    total += irc_sum_lanes(lane);
  }
  return total;
}

// One group, as a row of n columns without further groups.
typedef struct irc_search {
  const float *w;
  size_t n;
  irc_code_spec spec;
  float factor, norm;
  float *narrowed, *values;
  int8_t *codes;
  float scale;
  int8_t zero;
  double error;
} irc_search;

// Takes the range of `fraction` times the weights if its error is less.
IRC_INLINE void irc_try(irc_search *s, float fraction) {
  float scale;
  int8_t zero = 0;
  int8_t *zeros = s->spec.symmetric ? NULL : &zero;
  for (size_t i = 0; i < s->n; i++) s->narrowed[i] = s->w[i] * fraction;
  IRC_NAME(encode_params_rows)(&scale, zeros, s->narrowed, s->n, 1, s->n, s->spec);
  IRC_NAME(encode_rows)(s->codes, s->n, s->w, s->n, &scale, zeros, 1, s->n, s->spec);
  IRC_NAME(decode_rows)(s->values, s->n, s->codes, s->n, &scale, zeros, 1, s->n, s->spec);
  double error = irc_distance(s->w, s->values, s->n, s->factor, s->norm);
  if (error < s->error) {
    s->error = error;
    s->scale = scale;
    s->zero = zero;
  }
}

IRC_CLONES void IRC_NAME(search_params_rows)(
  float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero, const float *IRC_RESTRICT w,
  size_t w_stride, size_t rows, size_t n, irc_code_spec spec, float norm,
  float *IRC_RESTRICT scratch) {
  size_t groups = irc_group_count(n, spec.group), size = groups == 1 ? n : spec.group;
  spec.group = 0;
  for (size_t r = 0; r < rows; r++, w += w_stride)
    for (size_t g = 0; g < groups; g++, scale++) {
      irc_search s = {
        .w = w + g * size,
        .n = g + 1 < groups ? size : n - g * size,
        .spec = spec,
        .norm = norm,
        .narrowed = scratch,
        .values = scratch + size,
        .codes = (int8_t *)(void *)(scratch + 2 * size),
        .error = INFINITY};
      float most = irc_absmax(s.w, s.n);
      // Of the size of the errors' unit, so that no power leaves the range of floats.
      s.factor = irc_reciprocal(most);
      int8_t *zeros = spec.symmetric ? NULL : zero++;
      IRC_NAME(encode_params_rows)(scale, zeros, s.w, s.n, 1, s.n, spec);
      if (!(most <= FLT_MAX) || s.factor == 0.0f) continue;
      int best = 100;
      double before = INFINITY;
      for (int percent = 100; percent >= 20; percent -= 5, before = s.error) {
        irc_try(&s, (float)percent / 100.0f);
        if (s.error < before) best = percent;
      }
      int low = best - 4, high = best + 4 > 99 ? 99 : best + 4;
      for (int percent = high; percent >= low; percent--)
        if (percent != best) irc_try(&s, (float)percent / 100.0f);
      if (!(s.error < INFINITY)) continue;
      *scale = s.scale;
      if (zeros) *zeros = s.zero;
    }
}
