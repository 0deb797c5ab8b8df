// The compiler's side of the formats of irc_kernels.h: choosing scales, rounding to codes, packing,
// and conversions of whole arrays. None of this is emitted.
#ifndef IRC_ENCODE_H
#define IRC_ENCODE_H

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Swift may pass these structures between threads and copy them: what they point to never changes.
#if defined(__clang__) && defined(__has_attribute)
#if __has_attribute(swift_attr)
#define IRC_PLAIN_VALUE __attribute__((swift_attr("@Sendable"), swift_attr("safe")))
#endif
#endif
#ifndef IRC_PLAIN_VALUE
#define IRC_PLAIN_VALUE
#endif

// The values that codes of a format stand for, and what rounding to them needs.
typedef struct irc_code_table {
  uint32_t bits;      // 2 ... 8
  float largest;      // the largest finite magnitude
  float values[256];  // of the codes 0 ..< 2^bits
  float bounds[256];  // level i + 1 begins above bounds[i]; infinite behind the last level
  int8_t codes[256];  // of the levels, which are the finite values in ascending order
} irc_code_table;

// Prepares rounding to the nearest of (2^bits) values, a tie going to the code that is even. Of
// equal values the first code is used, and codes of infinities and NaNs are not.
void IRC_NAME(make_code_table)(irc_code_table *table, const float *values, uint32_t bits);

// How a matrix is turned into codes. The rules are those of quantize_tokens_i8, per group instead
// of per token; with a table, which goes with symmetric only, scale = absmax / largest and the code
// is that of the value nearest to x * (1 / scale). Codes are the low bits of an int8_t, sign
// extended. Functions below always pass scales as the float value. How they are stored decides what
// they are:
//   F16: rounded to even, saturating at 65504; one that rounds to zero makes its group zero.
//   E8M0: 2^(floor(log2(absmax)) - floor(log2(largest))), the rule of OCP's microscaling formats,
//     if floors_exponent; else one power more where absmax is at least midway between the largest
//     value and the next power of two above it. The scale of zeros is 2^-127, that of a group with
//     an infinity NaN. Symmetric only.
//   E4M3: the nearest E4M3 of absmax / (largest * tensor_scale), times tensor_scale. Symmetric only.
typedef struct IRC_PLAIN_VALUE irc_code_spec {
  uint32_t bits;  // 2 ... 8
  bool symmetric;
  irc_scale_type scale_type;
  bool floors_exponent;
  float tensor_scale;           // for E4M3, from tensor_scale
  size_t group;                 // columns per scale; 0: the whole row
  const irc_code_table *table;  // NULL: codes are integers
  irc_code_kind kind;
} irc_code_spec;

// The scale of a tensor with scales of E4M3: absmax / (448 * largest), rounded up to 16 bits so that
// its products with numbers of E4M3 are exact, and at least 2^-100. Infinite if absmax is.
float IRC_NAME(tensor_scale)(float absmax, irc_code_spec spec);

// The scales of a row of n columns.
static inline size_t irc_group_count(size_t n, size_t group) {
  return group == 0 || n <= group ? 1 : (n + group - 1) / group;
}

// (rows, n) -> scale (rows, groups) and, unless symmetric, zero (rows, groups). Of kinds with a scale.
void IRC_NAME(encode_params_rows)(
  float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero, const float *IRC_RESTRICT w,
  size_t w_stride, size_t rows, size_t n, irc_code_spec spec);

// (rows, n) -> codes (rows, n) with a stride, under given scales; zero may be NULL. A scale without
// a finite reciprocal gives the codes of zero. Codes of 8 bits stop at -127 when symmetric.
void IRC_NAME(encode_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT w, size_t w_stride,
  const float *IRC_RESTRICT scale, const int8_t *zero, size_t rows, size_t n, irc_code_spec spec);

// w = (float)(code - zero) * scale, or values[code] * scale: codes (rows, n) -> (rows, n)
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

// The same for panels, whose rows are padded to whole panels: irc_stored_rows times irc_packed_row_bytes
// bytes. Codes that are places in a table are stored as they are.
void IRC_NAME(pack_panels)(
  void *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows,
  size_t n, uint32_t bits, bool is_table);
void IRC_NAME(unpack_panels)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const void *IRC_RESTRICT packed, size_t rows,
  size_t n, uint32_t bits, bool is_table);

// Scales or zero points of `size` bytes: (rows, groups) -> (rows / 16, groups, 16), zero bytes behind
// the last row.
void IRC_NAME(interleave_groups)(
  void *IRC_RESTRICT interleaved, const void *IRC_RESTRICT plain, size_t rows, size_t groups,
  size_t size);

// encode_params_rows, encode_rows and pack_rows, group by group while the group is in cache. Of kinds
// with a scale.
void IRC_NAME(encode_pack_rows)(
  void *IRC_RESTRICT packed, float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero,
  const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n, irc_code_spec spec);

// Scales (n) -> (n) of a type; tensor_scale is for E4M3. Returns the index of the first that the
// type cannot hold exactly, or n.
size_t IRC_NAME(pack_scales)(
  void *IRC_RESTRICT packed, const float *IRC_RESTRICT scale, size_t n, irc_scale_type type,
  float tensor_scale);

// A number whose products with numbers of E4M3 all of the scales are; 0 if there is none. Whatever
// it is, the scales are stored exactly: several may do.
float IRC_NAME(common_tensor_scale)(const float *scale, size_t n);

// The lowest and the highest code of an integer format.
void IRC_NAME(code_bounds)(int32_t *low, int32_t *high, uint32_t bits, bool symmetric);

// How many of x are infinite or NaN; *first is the index of the first, or n. `first` may be NULL.
size_t IRC_NAME(count_nonfinite_f32)(const float *x, size_t n, size_t *first);

// The largest |x|, or 0; NaNs are passed over.
float IRC_NAME(absmax_f32)(const float *x, size_t n);

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
