// Quantizing weights, and conversions of whole arrays. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "encode_common.h"

// ---- Conversions --------------------------------------------------------------------------------

IRC_CLONES void IRC_NAME(f32_to_f16)(
  uint16_t *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = irc_f16_of_float(x[i]);
}

IRC_CLONES void IRC_NAME(bf16_to_f32)(
  float *IRC_RESTRICT y, const uint16_t *IRC_RESTRICT x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = irc_float_of_bits((uint32_t)x[i] << 16);
}

IRC_CLONES void IRC_NAME(mul_columns_f32)(
  float *y, const float *w, const float *gain, size_t rows, size_t cols) {
  for (size_t r = 0; r < rows; r++, y += cols, w += cols) IRC_NAME(mul_f32)(y, w, gain, cols);
}

IRC_CLONES float IRC_NAME(absmax_f32)(const float *x, size_t n) { return irc_absmax(x, n); }

void IRC_NAME(code_bounds)(int32_t *low, int32_t *high, uint32_t bits, bool symmetric) {
  irc_code_range range = irc_range_of_codes(bits, symmetric);
  *low = range.low;
  *high = range.high;
}

IRC_CLONES size_t IRC_NAME(count_nonfinite_f32)(const float *x, size_t n, size_t *first) {
  enum { CHUNK = 4096 };
  size_t count = 0, at = n;
  for (size_t start = 0; start < n; start += CHUNK) {
    size_t end = n - start < CHUNK ? n : start + CHUNK;
    uint32_t found = 0;
    for (size_t i = start; i < end; i++)
      found += (irc_bits_of_float(x[i]) & 0x7f800000u) == 0x7f800000u;
    if (found && count == 0)
      for (at = start; (irc_bits_of_float(x[at]) & 0x7f800000u) != 0x7f800000u;) at++;
    count += found;
  }
  if (first) *first = at;
  return count;
}

// ---- Tables -------------------------------------------------------------------------------------

// Sorts the codes of finite values by value; of equal values the first code stays.
static size_t irc_sort_levels(int8_t *codes, const float *values, uint32_t count) {
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
static float irc_level_bound(float below, float above, bool upper_takes_tie) {
  double middle = ((double)below + (double)above) * 0.5;
  float bound = (float)middle;
  if ((double)bound > middle || ((double)bound == middle && upper_takes_tie))
    bound = nextafterf(bound, -INFINITY);
  return bound;
}

void IRC_NAME(make_code_table)(irc_code_table *table, const float *values, uint32_t bits) {
  uint32_t count = 1u << bits;
  memset(table, 0, sizeof *table);
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
  for (size_t i = levels - 1; i < count; i++) table->bounds[i] = INFINITY;
}

float IRC_NAME(tensor_scale)(float absmax, irc_code_spec spec) {
  float scale = absmax / (448.0f * irc_largest_level(spec));
  if (!(scale <= FLT_MAX)) return scale;
  scale = irc_float_of_bits((irc_bits_of_float(scale) + 0xffu) & ~0xffu);
  return scale > 0x1p-100f ? scale : 0x1p-100f;
}

// ---- Scales and codes ---------------------------------------------------------------------------

IRC_CLONES void IRC_NAME(encode_params_rows)(
  float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero, const float *IRC_RESTRICT w,
  size_t w_stride, size_t rows, size_t n, irc_code_spec spec) {
  for (size_t r = 0; r < rows; r++, w += w_stride)
    IRC_FOR_GROUPS({
      irc_group_params(scale++, spec.symmetric ? NULL : zero++, w + start, length, spec);
    });
}

IRC_CLONES void IRC_NAME(encode_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT w, size_t w_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec) {
  for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
    IRC_FOR_GROUPS({
      int32_t z = zero ? *zero++ : 0;
      irc_encode_run(codes + start, w + start, length, irc_reciprocal(*scale++), z, spec);
    });
}

IRC_CLONES void IRC_NAME(decode_rows)(
  float *IRC_RESTRICT w, size_t w_stride, const int8_t *IRC_RESTRICT codes, size_t code_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec) {
  uint8_t mask = (uint8_t)((1u << spec.bits) - 1);
  for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
    IRC_FOR_GROUPS({
      float s = *scale++;
      int32_t z = zero ? *zero++ : 0;
      if (spec.table)
        for (size_t i = start; i < start + length; i++)
          w[i] = spec.table->values[(uint8_t)codes[i] & mask] * s;
      else
        for (size_t i = start; i < start + length; i++) w[i] = (float)(codes[i] - z) * s;
    });
}
