// What choosing scales and rounding to codes share. Static, and compiled into the compiler only.
#ifndef IRC_ENCODE_COMMON_H
#define IRC_ENCODE_COMMON_H

#include <math.h>

#include "irc_encode.h"
#include "kernels_packed.h"

// ---- Small floats -------------------------------------------------------------------------------

// Rounds half to even, without branches: the three kinds of result are computed and one is taken.
IRC_INLINE uint16_t irc_f16_of_float(float x) {
  uint32_t bits = irc_bits_of_float(x);
  uint32_t sign = bits & 0x80000000u;
  uint32_t rest = bits ^ sign;
  // Normal results: rebias the exponent, then add just under half of the last kept bit, plus that
  // bit itself.
  uint32_t normal = (rest - (112u << 23) + 0xfffu + ((rest >> 13) & 1u)) >> 13;
  // Subnormal results: 0.5 has its last bit at 2^-24, the least half.
  uint32_t subnormal =
    irc_bits_of_float(irc_float_of_bits(rest) + 0.5f) - irc_bits_of_float(0.5f);
  uint32_t half = rest < (113u << 23) ? subnormal : normal;
  half = rest >= 0x477ff000u ? 0x7c00u : half;  // 65520, halfway to the next power of two
  half = rest > 0x7f800000u ? 0x7e00u | (rest >> 13 & 0x3ffu) : half;
  return (uint16_t)(sign >> 16 | half);
}

// Of x >= 0, ties to even; saturates at 448.
IRC_INLINE uint8_t irc_e4m3_of_float(float x) {
  if (!(x < 448.0f)) return 0x7e;
  if (x < 0x1p-6f) return (uint8_t)irc_round(x * 512.0f);  // eight of them are the least normal
  uint32_t bits = irc_bits_of_float(x);
  return (uint8_t)((bits + 0x7ffffu + (bits >> 20 & 1u) - (120u << 23)) >> 20);
}

// ---- Scales -------------------------------------------------------------------------------------

// The magnitude that the scale of a symmetric group maps to 1.
IRC_INLINE float irc_largest_level(irc_code_spec spec) {
  if (spec.table) return spec.table->largest;
  return spec.bits == 8 ? 127.0f : (float)(1 << (spec.bits - 1)) - 0.5f;
}

// The power of two for E8M0: the exponent of absmax less that of the largest level. The rule `even`
// takes the next power where absmax would else lie nearer to the power after the largest level than
// to that level. There is no zero: the least power stands for it.
IRC_INLINE float irc_power_scale(float absmax, irc_code_spec spec) {
  if (!(absmax <= FLT_MAX)) return irc_float_of_e8m0(255);
  int of_group, of_level;
  float mantissa = 2.0f * frexpf(absmax, &of_group);
  float top = 2.0f * frexpf(irc_largest_level(spec), &of_level);
  int exponent = of_group - of_level;
  if (!spec.floors_exponent && mantissa >= (top + 2.0f) * 0.5f) exponent++;
  if (absmax == 0.0f || exponent < -127) exponent = -127;
  return ldexpf(1.0f, exponent < 127 ? exponent : 127);
}

// A number of E4M3 times the scale of the tensor; exact, as both are short.
IRC_INLINE float irc_short_scale(float absmax, irc_code_spec spec) {
  if (!(absmax <= FLT_MAX)) return absmax;
  if (!(spec.tensor_scale <= FLT_MAX)) return spec.tensor_scale;
  float ratio = absmax / (irc_largest_level(spec) * spec.tensor_scale);
  return irc_float_of_e4m3(irc_e4m3_of_float(ratio)) * spec.tensor_scale;
}

// A scale as it will be stored in f32 or f16.
IRC_INLINE float irc_stored_scale(float scale, irc_scale_type type) {
  if (type == IRC_SCALE_F16) {
    uint16_t half = irc_f16_of_float(scale);
    scale = irc_float_of_f16(half == 0x7c00u ? 0x7bffu : half);
  }
  return scale <= FLT_MAX && irc_reciprocal(scale) == 0.0f ? 0.0f : scale;
}

// The scale of one symmetric group.
IRC_INLINE float irc_symmetric_scale(float absmax, irc_code_spec spec) {
  if (spec.scale_type == IRC_SCALE_E8M0) return irc_power_scale(absmax, spec);
  if (spec.scale_type == IRC_SCALE_E4M3) return irc_short_scale(absmax, spec);
  return irc_stored_scale(absmax / irc_largest_level(spec), spec.scale_type);
}

// The scale and zero point of one group.
IRC_INLINE void irc_group_params(
  float *scale, int8_t *zero, const float *IRC_RESTRICT w, size_t n, irc_code_spec spec) {
  if (spec.symmetric) {
    *scale = irc_symmetric_scale(irc_absmax(w, n), spec);
  } else {
    float low, high;
    irc_minmax(&low, &high, w, n);
    *scale = irc_stored_scale(irc_scale_asymmetric(low, high, spec.bits), spec.scale_type);
    *zero = (int8_t)irc_zero_point(low, *scale, irc_range_of_codes(spec.bits, false));
  }
}

// ---- Tables -------------------------------------------------------------------------------------

// Sorts the codes of finite values by value; of equal values the first code stays.
static inline size_t irc_sort_levels(int8_t *codes, const float *values, uint32_t count) {
  size_t levels = 0;
  for (uint32_t code = 0; code < count; code++) {
    float value = values[code];
    if (!(value <= FLT_MAX && value >= -FLT_MAX)) continue;
    size_t at = levels;
    while (at > 0 && values[(uint8_t)codes[at - 1] & (count - 1)] > value) at--;
    if (at > 0 && values[(uint8_t)codes[at - 1] & (count - 1)] == value) continue;
    memmove(codes + at + 1, codes + at, levels - at);
    // The low bits as a number with a sign, which is what unpacking gives.
    codes[at] = (int8_t)(code < count / 2 ? (int32_t)code : (int32_t)code - (int32_t)count);
    levels++;
  }
  return levels;
}

// The largest number that belongs to the lower of two neighbours.
static inline float irc_level_bound(float below, float above, bool upper_takes_tie) {
  double middle = ((double)below + (double)above) * 0.5;
  float bound = (float)middle;
  if ((double)bound > middle || ((double)bound == middle && upper_takes_tie))
    bound = nextafterf(bound, -INFINITY);
  return bound;
}

// Fills what rounding to codes of so many bits reads.
static inline void irc_prepare_table(irc_code_table *table, const float *values, uint32_t bits) {
  uint32_t count = 1u << bits;
  table->largest = 0;
  table->codes[0] = 0;  // where no value is finite
  table->bits = bits;
  memcpy(table->values, values, count * sizeof *values);
  size_t levels = irc_sort_levels(table->codes, values, count);
  for (size_t i = 0; i < levels; i++) {
    float value = values[(uint8_t)table->codes[i] & (count - 1)];
    table->largest = fabsf(value) > table->largest ? fabsf(value) : table->largest;
    if (i > 0) {
      float below = values[(uint8_t)table->codes[i - 1] & (count - 1)];
      table->bounds[i - 1] = irc_level_bound(below, value, (table->codes[i] & 1) == 0);
    }
  }
  for (size_t i = levels > 0 ? levels - 1 : 0; i < count; i++) table->bounds[i] = INFINITY;
}

// The table of a group's own values.
static inline void irc_group_table(
  irc_code_table *table, const float *numbers, irc_code_spec spec) {
  float values[256];
  irc_group_values(values, numbers, spec.kind, spec.bits);
  irc_prepare_table(table, values, spec.bits);
}

// ---- Codes --------------------------------------------------------------------------------------

// A binary search in 2^bits - 1 bounds, without branches.
IRC_INLINE void irc_search_levels(
  int8_t *IRC_RESTRICT codes, const float *IRC_RESTRICT x, size_t n, float r,
  const irc_code_table *table, uint32_t half) {
  for (size_t i = 0; i < n; i++) {
    float v = x[i] * r;
    v = v == v ? v : 0.0f;
    uint32_t level = 0;
    for (uint32_t step = half; step > 0; step >>= 1)
      level += v > table->bounds[level + step - 1] ? step : 0;
    codes[i] = table->codes[level];
  }
}

// Codes of neighbours that share a scale, of which r is the reciprocal.
IRC_INLINE void irc_encode_run(
  int8_t *IRC_RESTRICT codes, const float *IRC_RESTRICT x, size_t n, float r, int32_t zero,
  irc_code_spec spec) {
  if (!spec.table)
    irc_quantize(codes, x, n, r, zero, irc_range_of_codes(spec.bits, spec.symmetric));
  else if (spec.bits == 4)
    irc_search_levels(codes, x, n, r, spec.table, 8);
  else
    irc_search_levels(codes, x, n, r, spec.table, 1u << (spec.bits - 1));
}

// Calls `body` with each group's `g`, `start` and `length` in a row of n columns.
#define IRC_FOR_GROUPS(body)                                                        \
  do {                                                                              \
    size_t groups = irc_group_count(n, spec.group);                                 \
    for (size_t g = 0; g < groups; g++) {                                           \
      size_t start = g * spec.group;                                                \
      size_t length = g + 1 < groups ? spec.group : n - start;                      \
      body                                                                          \
    }                                                                               \
  } while (0)

#endif
