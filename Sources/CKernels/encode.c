// Quantizing and packing weights, and conversions of whole arrays. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_encode.h"

#include "kernels_common.h"

// ---- Conversions --------------------------------------------------------------------------------

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

// ---- Scales and codes ---------------------------------------------------------------------------

// The scale as it will be stored.
IRC_INLINE float irc_stored_scale(float scale, bool is_f16) {
  if (is_f16) {
    uint16_t half = irc_f16_of_float(scale);
    scale = irc_float_of_f16(half == 0x7c00u ? 0x7bffu : half);
  }
  return scale <= FLT_MAX && irc_reciprocal(scale) == 0.0f ? 0.0f : scale;
}

// The scale and zero point of one group.
IRC_INLINE void irc_group_params(
  float *scale, int8_t *zero, const float *IRC_RESTRICT w, size_t n, irc_code_spec spec) {
  if (spec.symmetric) {
    *scale = irc_stored_scale(irc_scale_symmetric(irc_absmax(w, n), spec.bits), spec.scale_is_f16);
  } else {
    float low, high;
    irc_minmax(&low, &high, w, n);
    *scale = irc_stored_scale(irc_scale_asymmetric(low, high, spec.bits), spec.scale_is_f16);
    *zero = (int8_t)irc_zero_point(low, *scale, irc_range_of_codes(spec.bits, false));
  }
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
  irc_code_range range = irc_range_of_codes(spec.bits, spec.symmetric);
  for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
    IRC_FOR_GROUPS({
      int32_t z = zero ? *zero++ : 0;
      irc_quantize(codes + start, w + start, length, irc_reciprocal(*scale++), z, range);
    });
}

IRC_CLONES void IRC_NAME(decode_rows)(
  float *IRC_RESTRICT w, size_t w_stride, const int8_t *IRC_RESTRICT codes, size_t code_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec) {
  for (size_t r = 0; r < rows; r++, w += w_stride, codes += code_stride)
    IRC_FOR_GROUPS({
      float s = *scale++;
      int32_t z = zero ? *zero++ : 0;
      for (size_t i = start; i < start + length; i++) w[i] = (float)(codes[i] - z) * s;
    });
}

// ---- Packing ------------------------------------------------------------------------------------

IRC_INLINE void irc_pack_int4(
  irc_block_int4 *IRC_RESTRICT block, const int8_t *IRC_RESTRICT codes) {
  for (int j = 0; j < 16; j++)
    block->nibbles[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

IRC_INLINE void irc_pack_low_pairs(uint8_t pairs[8], const int8_t *IRC_RESTRICT codes) {
  for (int j = 0; j < 8; j++)
    pairs[j] = (uint8_t)(
      (codes[j] & 3) | (codes[j + 8] & 3) << 2 | (codes[j + 16] & 3) << 4
      | (codes[j + 24] & 3) << 6);
}

IRC_INLINE void irc_pack_int3(
  irc_block_int3 *IRC_RESTRICT block, const int8_t *IRC_RESTRICT codes) {
  irc_pack_low_pairs(block->low, codes);
  for (int j = 0; j < 4; j++) {
    int bits = 0;
    for (int k = 0; k < 8; k++) bits |= (codes[8 * j + k] >> 2 & 1) << k;
    block->high[j] = (uint8_t)bits;
  }
}

// `blocks` whole blocks of one row.
IRC_INLINE void irc_pack(
  uint8_t *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t blocks, uint32_t bits) {
  switch (bits) {
    case 8:
      memcpy(packed, codes, 32 * blocks);
      break;
    case 4:
      for (size_t b = 0; b < blocks; b++)
        irc_pack_int4((irc_block_int4 *)(void *)packed + b, codes + 32 * b);
      break;
    case 3:
      for (size_t b = 0; b < blocks; b++)
        irc_pack_int3((irc_block_int3 *)(void *)packed + b, codes + 32 * b);
      break;
    default:
      for (size_t b = 0; b < blocks; b++) irc_pack_low_pairs(packed + 8 * b, codes + 32 * b);
      break;
  }
}

// The last block of a row, when it is not whole: `codes` has n % 32 codes left.
IRC_INLINE void irc_pack_rest(
  uint8_t *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t n, uint32_t bits) {
  int8_t block[IRC_BLOCK] = {0};
  memcpy(block, codes, n);
  irc_pack(packed, block, 1, bits);
}

IRC_CLONES void IRC_NAME(pack_rows)(
  void *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows,
  size_t n, uint32_t bits) {
  uint8_t *row = (uint8_t *)packed;
  size_t blocks = n / IRC_BLOCK, rest = n % IRC_BLOCK;
  for (size_t r = 0; r < rows; r++, codes += code_stride, row += irc_packed_row_bytes(n, bits)) {
    irc_pack(row, codes, blocks, bits);
    if (rest)
      irc_pack_rest(row + blocks * irc_block_bytes(bits), codes + blocks * IRC_BLOCK, rest, bits);
  }
}

IRC_CLONES void IRC_NAME(unpack_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const void *IRC_RESTRICT packed, size_t rows,
  size_t n, uint32_t bits) {
  const uint8_t *row = (const uint8_t *)packed;
  size_t blocks = n / IRC_BLOCK, rest = n % IRC_BLOCK;
  for (size_t r = 0; r < rows; r++, codes += code_stride, row += irc_packed_row_bytes(n, bits)) {
    irc_unpack(codes, row, blocks, bits);
    if (rest) {
      int8_t block[IRC_BLOCK];
      irc_unpack(block, row + blocks * irc_block_bytes(bits), 1, bits);
      memcpy(codes + blocks * IRC_BLOCK, block, rest);
    }
  }
}

IRC_CLONES void IRC_NAME(encode_pack_rows)(
  void *IRC_RESTRICT packed, float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero,
  const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n, irc_code_spec spec) {
  enum { CHUNK = 1024 };
  uint8_t *next = (uint8_t *)packed;
  irc_code_range range = irc_range_of_codes(spec.bits, spec.symmetric);
  for (size_t r = 0; r < rows; r++, w += w_stride)
    IRC_FOR_GROUPS({
      int8_t z = 0;
      irc_group_params(scale, &z, w + start, length, spec);
      float reciprocal = irc_reciprocal(*scale++);
      if (!spec.symmetric) *zero++ = z;
      for (size_t at = 0; at < length; at += CHUNK) {
        int8_t codes[CHUNK];
        size_t count = length - at < CHUNK ? length - at : CHUNK;
        irc_quantize(codes, w + start + at, count, reciprocal, z, range);
        for (size_t i = count; i < irc_padded(count); i++) codes[i] = 0;
        irc_pack(next, codes, irc_padded(count) / IRC_BLOCK, spec.bits);
        next += irc_padded(count) / IRC_BLOCK * irc_block_bytes(spec.bits);
      }
    });
}
