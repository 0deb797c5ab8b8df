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

void IRC_NAME(make_code_table)(irc_code_table *table, const float *values, uint32_t bits) {
  memset(table, 0, sizeof *table);
  irc_prepare_table(table, values, bits);
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
  if (spec.kind != IRC_CODES_SCALED) {
    irc_code_table table;
    spec.table = &table;
    for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
      IRC_FOR_GROUPS({
        irc_group_table(&table, scale, spec);
        irc_encode_run(codes + start, w + start, length, 1.0f, 0, spec);
        scale += irc_group_numbers(spec.kind, spec.bits);
      });
    return;
  }
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
  if (spec.kind != IRC_CODES_SCALED) {
    float values[256];
    for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
      IRC_FOR_GROUPS({
        irc_group_values(values, scale, spec.kind, spec.bits);
        for (size_t i = start; i < start + length; i++) w[i] = values[(uint8_t)codes[i] & mask];
        scale += irc_group_numbers(spec.kind, spec.bits);
      });
    return;
  }
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
