// The compiler's side of the formats of irc_kernels.h: choosing scales, rounding to codes, packing,
// and conversions of whole arrays. None of this is emitted.
#ifndef IRC_ENCODE_H
#define IRC_ENCODE_H

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a matrix is turned into codes. The rules are those of quantize_tokens_i8, per group instead
// of per token. A half-precision scale is rounded to even before it is used (saturating at 65504),
// and one that rounds to zero makes its group zero; functions below always pass scales as the float
// value.
typedef struct irc_code_spec {
  uint32_t bits;  // 2...8 for codes, 2, 3, 4 or 8 to pack them
  bool symmetric;
  bool scale_is_f16;
  size_t group;  // columns per scale, a multiple of 32; 0: the whole row
} irc_code_spec;

// The scales of a row of n columns.
static inline size_t irc_group_count(size_t n, size_t group) {
  return group == 0 || n <= group ? 1 : (n + group - 1) / group;
}

// (rows, n) -> scale (rows, groups) and, unless symmetric, zero (rows, groups).
void IRC_NAME(encode_params_rows)(
  float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero, const float *IRC_RESTRICT w,
  size_t w_stride, size_t rows, size_t n, irc_code_spec spec);

// (rows, n) -> codes (rows, n) with a stride, under given scales; zero may be NULL. A scale without
// a finite reciprocal gives zero codes. Codes of 8 bits stop at -127 when symmetric.
void IRC_NAME(encode_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT w, size_t w_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec);

// w = (float)(code - zero) * scale: codes (rows, n) -> (rows, n)
void IRC_NAME(decode_rows)(
  float *IRC_RESTRICT w, size_t w_stride, const int8_t *IRC_RESTRICT codes, size_t code_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec);

// codes (rows, n) -> (rows, irc_packed_row_bytes(n, bits)), padded with zero codes; and back. Only
// the low `bits` bits of a code are stored.
void IRC_NAME(pack_rows)(
  void *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows,
  size_t n, uint32_t bits);
void IRC_NAME(unpack_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const void *IRC_RESTRICT packed, size_t rows,
  size_t n, uint32_t bits);

// encode_params_rows, encode_rows and pack_rows, group by group while the group is in cache.
void IRC_NAME(encode_pack_rows)(
  void *IRC_RESTRICT packed, float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero,
  const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n, irc_code_spec spec);

// The lowest and the highest code of a format.
void IRC_NAME(code_bounds)(int32_t *low, int32_t *high, uint32_t bits, bool symmetric);

// How many of x are infinite or NaN; *first is the index of the first, or n. `first` may be NULL.
size_t IRC_NAME(count_nonfinite_f32)(const float *x, size_t n, size_t *first);

// Rounds to even; overflow gives infinity, NaNs come out quiet.
void IRC_NAME(f32_to_f16)(uint16_t *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t n);
void IRC_NAME(bf16_to_f32)(float *IRC_RESTRICT y, const uint16_t *IRC_RESTRICT x, size_t n);

// y[r, c] = w[r, c] * gain[c]: (rows, cols) * (cols) -> (rows, cols); y may be w.
void IRC_NAME(mul_columns_f32)(
  float *y, const float *w, const float *gain, size_t rows, size_t cols);

#ifdef __cplusplus
}
#endif
#endif
