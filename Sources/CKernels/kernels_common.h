// What the kernels share: sixteen-lane reductions, exp and log1p without branches, rounding. Everything is static, so two compiled models never meet here.
#ifndef IRC_KERNELS_COMMON_H
#define IRC_KERNELS_COMMON_H

#include <float.h>
#include <string.h>

#include "irc_kernels.h"

// Whoever includes this computes the same bits whatever the compiler is told: a * b + c is not fused
// where the processor can, which clang does by default and gcc outside of -std=c11.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#ifdef __F16C__
#include <immintrin.h>
#endif

// Inlined without fail, so that a helper is compiled for the instruction set of the kernel that
// calls it.
#if defined(__GNUC__)
#define IRC_INLINE static inline __attribute__((always_inline, unused))
#else
#define IRC_INLINE static inline
#endif

// Inside the compiler, which is built for any x86-64, each kernel is compiled twice and chosen at
// load time. Neither version contracts a * b + c, so both give the same bits.
#if defined(SWIFT_PACKAGE) && defined(__clang__) && defined(__x86_64__) && defined(__linux__)
#define IRC_CLONES_WORK (__clang_major__ >= 17)  // older ones leave the plain name undefined
#else
#define IRC_CLONES_WORK 0
#endif
#if IRC_CLONES_WORK
#define IRC_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define IRC_CLONES
#endif

enum { IRC_LANES = 16 };

// ---- Reductions ---------------------------------------------------------------------------------

// The sum of sixteen lanes in a fixed tree. Destroys them.
IRC_INLINE float irc_sum_lanes(float lane[IRC_LANES]) {
  for (int j = 0; j < 8; j++) lane[j] += lane[j + 8];
  for (int j = 0; j < 4; j++) lane[j] += lane[j + 4];
  for (int j = 0; j < 2; j++) lane[j] += lane[j + 2];
  return lane[0] + lane[1];
}

// (n) . (n) -> scalar
IRC_INLINE float irc_dot(const float *IRC_RESTRICT a, const float *IRC_RESTRICT b, size_t n) {
  float lane[IRC_LANES] = {0};
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES)
    for (size_t j = 0; j < IRC_LANES; j++) lane[j] += a[i + j] * b[i + j];
  for (size_t j = 0; i + j < n; j++) lane[j] += a[i + j] * b[i + j];
  return irc_sum_lanes(lane);
}

// The sum of the numbers, in the same lanes: (n) -> scalar
IRC_INLINE float irc_sum(const float *IRC_RESTRICT x, size_t n) {
  float lane[IRC_LANES] = {0};
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES)
    for (size_t j = 0; j < IRC_LANES; j++) lane[j] += x[i + j];
  for (size_t j = 0; i + j < n; j++) lane[j] += x[i + j];
  return irc_sum_lanes(lane);
}

// Four rows of w at once, each exactly as irc_dot: (4, n) with a stride . (n) -> (4)
IRC_INLINE void irc_dot4(
  float y[4], const float *IRC_RESTRICT w, size_t stride, const float *IRC_RESTRICT x, size_t n) {
  float lane[4][IRC_LANES] = {{0}};
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES)
    for (size_t r = 0; r < 4; r++)
      for (size_t j = 0; j < IRC_LANES; j++) lane[r][j] += w[r * stride + i + j] * x[i + j];
  for (size_t r = 0; r < 4; r++)
    for (size_t j = 0; i + j < n; j++) lane[r][j] += w[r * stride + i + j] * x[i + j];
  for (size_t r = 0; r < 4; r++) y[r] = irc_sum_lanes(lane[r]);
}

// ---- Bits and rounding --------------------------------------------------------------------------

IRC_INLINE float irc_float_of_bits(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

IRC_INLINE uint32_t irc_bits_of_float(float f) {
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

// condition ? a : b without a branch, which gcc otherwise makes of it and then does not vectorise.
IRC_INLINE float irc_select(bool condition, float a, float b) {
  uint32_t mask = 0u - (uint32_t)condition;
  return irc_float_of_bits((irc_bits_of_float(a) & mask) | (irc_bits_of_float(b) & ~mask));
}

// Adding 1.5 * 2^23 leaves the nearest integer, ties to even, in the low bits of the sum.
#define IRC_ROUNDER 0x1.8p23f

// The nearest integer of x, ties to even, for |x| < 2^22.
IRC_INLINE int32_t irc_round(float x) {
  return (int32_t)(irc_bits_of_float(x + IRC_ROUNDER) - irc_bits_of_float(IRC_ROUNDER));
}

// Exact; subnormals are normalised by the product, infinities and NaNs keep an all-ones exponent.
IRC_INLINE float irc_float_of_f16(uint16_t half) {
  uint32_t sign = ((uint32_t)half & 0x8000u) << 16;
  uint32_t rest = (uint32_t)half & 0x7fffu;
  uint32_t finite = irc_bits_of_float(irc_float_of_bits(rest << 13) * 0x1p112f);
  uint32_t special = rest >= 0x7c00u ? 0x7f800000u : 0u;
  uint32_t quiet = rest > 0x7c00u ? 0x00400000u : 0u;
  return irc_float_of_bits(sign | finite | special | quiet);
}

IRC_INLINE void irc_floats_of_f16(float *IRC_RESTRICT y, const uint16_t *IRC_RESTRICT x, size_t n) {
  size_t i = 0;
#ifdef __F16C__
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(
      y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
#endif
  for (; i < n; i++) y[i] = irc_float_of_f16(x[i]);
}

// ---- Ranges -------------------------------------------------------------------------------------

// The magnitude of x as bits, 0 for a NaN: positive floats are ordered like their bits.
IRC_INLINE int32_t irc_magnitude(float x) {
  int32_t magnitude = (int32_t)(irc_bits_of_float(x) & 0x7fffffffu);
  return magnitude > 0x7f800000 ? 0 : magnitude;
}

// The largest |x|, or 0; NaNs are passed over.
IRC_INLINE float irc_absmax(const float *IRC_RESTRICT x, size_t n) {
  int32_t most = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t magnitude = irc_magnitude(x[i]);
    most = magnitude > most ? magnitude : most;
  }
  return irc_float_of_bits((uint32_t)most);
}

// The smallest and largest of x and 0; NaNs are passed over.
IRC_INLINE void irc_minmax(float *low, float *high, const float *IRC_RESTRICT x, size_t n) {
  int32_t below = 0, above = 0;
  for (size_t i = 0; i < n; i++) {
    int32_t magnitude = irc_magnitude(x[i]);
    int32_t negative = -(int32_t)(irc_bits_of_float(x[i]) >> 31);
    int32_t down = magnitude & negative, up = magnitude & ~negative;
    below = down > below ? down : below;
    above = up > above ? up : above;
  }
  *low = -irc_float_of_bits((uint32_t)below);
  *high = irc_float_of_bits((uint32_t)above);
}

// ---- exp and log1p ------------------------------------------------------------------------------

// exp(x) = 2^k exp(r) with |r| <= ln(2) / 2: a polynomial, then two exact steps of scaling, of
// which only the last may round (to a subnormal) or overflow.
IRC_INLINE float irc_exp(float x) {
  x = irc_select(x > 89.0f, 89.0f, x);      // exp(89) is above FLT_MAX already
  x = irc_select(x < -104.0f, -104.0f, x);  // exp(-104) is below half the least subnormal
  float shifted = x * 0x1.715476p0f + IRC_ROUNDER;
  float k = shifted - IRC_ROUNDER;
  int32_t exponent = (int32_t)(irc_bits_of_float(shifted) - irc_bits_of_float(IRC_ROUNDER));
  float r = x - k * 0.693359375f;  // nine bits, so the product is exact
  r = r - k * -2.12194440e-4f;
  float p = 1.3926193e-3f;  // (exp(r) - 1 - r) / r^2, interpolated at Chebyshev points
  p = p * r + 8.3631862e-3f;
  p = p * r + 4.1666555e-2f;
  p = p * r + 1.6666577e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r;
  p = p + 1.0f;
  uint32_t half = (uint32_t)(exponent >> 1);
  uint32_t rest = (uint32_t)exponent - half;
  return (p * irc_float_of_bits((half + 127u) << 23)) * irc_float_of_bits((rest + 127u) << 23);
}

// log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)).
IRC_INLINE float irc_log1p_unit(float u) {
  float s = u / (2.0f + u);
  float z = s * s;
  float p = 1.1611614e-1f;  // (artanh(s) / s - 1) / z, interpolated at Chebyshev points
  p = p * z + 1.0853288e-1f;
  p = p * z + 1.4296179e-1f;
  p = p * z + 1.9999853e-1f;
  p = p * z + 3.3333334e-1f;
  float twice = s + s;
  return twice + twice * (p * z);
}

IRC_INLINE float irc_softplus(float x) {
  return irc_select(x > 0, x, 0) + irc_log1p_unit(irc_exp(irc_select(x < 0, x, -x)));
}

// 1 / (1 + exp(-x)), with an exponential that cannot overflow.
IRC_INLINE float irc_sigmoid(float x) {
  float e = irc_exp(irc_select(x < 0, x, -x));
  return irc_select(x < 0, e, 1) / (1.0f + e);
}

IRC_INLINE float irc_silu(float x) {
  float e = irc_exp(irc_select(x < 0, x, -x));
  return irc_select(x < 0, x * e, x) / (1.0f + e);
}

// x / (1 + exp(-gate)); irc_silu(x) where the gate is x itself.
IRC_INLINE float irc_scaled_silu(float x, float gate) {
  float e = irc_exp(irc_select(gate < 0, gate, -gate));
  return irc_select(gate < 0, x * e, x) / (1.0f + e);
}

// ---- The quantizer contract ---------------------------------------------------------------------

typedef struct irc_code_range {
  int32_t low, high;
} irc_code_range;

IRC_INLINE irc_code_range irc_range_of_codes(uint32_t bits, bool symmetric) {
  int32_t half = 1 << (bits - 1);
  irc_code_range range = {symmetric && bits == 8 ? -127 : -half, half - 1};
  return range;
}

// 1 / scale, or 0 where that is not finite.
IRC_INLINE float irc_reciprocal(float scale) {
  float r = 1.0f / scale;
  return r <= FLT_MAX ? r : 0.0f;
}

IRC_INLINE float irc_scale_symmetric(float absmax, uint32_t bits) {
  float steps = bits == 8 ? 127.0f : (float)(1 << (bits - 1)) - 0.5f;
  return absmax / steps;
}

IRC_INLINE float irc_scale_asymmetric(float low, float high, uint32_t bits) {
  return (high - low) / (float)((1 << bits) - 1);
}

// The zero point for a finite scale with a finite reciprocal; 0 for any other scale.
IRC_INLINE int32_t irc_zero_point(float low, float scale, irc_code_range range) {
  if (!(scale <= FLT_MAX) || irc_reciprocal(scale) == 0.0f) return 0;
  float zero = (float)range.low - low / scale;
  zero = zero < (float)range.low ? (float)range.low : zero;
  zero = zero > (float)range.high ? (float)range.high : zero;
  return irc_round(zero);
}

// clamp(rint(x * r) + zero, range); clamping first is the same, because the bounds are integers.
IRC_INLINE void irc_quantize(
  int8_t *IRC_RESTRICT codes, const float *IRC_RESTRICT x, size_t n, float r, int32_t zero,
  irc_code_range range) {
  float low = (float)(range.low - zero), high = (float)(range.high - zero);
  for (size_t i = 0; i < n; i++) {
    float v = x[i] * r;
    v = v == v ? v : 0.0f;
    v = v < low ? low : v;
    v = v > high ? high : v;
    codes[i] = (int8_t)(irc_round(v) + zero);
  }
}

IRC_INLINE void irc_pad_codes(int8_t *IRC_RESTRICT codes, size_t n, size_t code_stride) {
  for (size_t i = n; i < code_stride; i++) codes[i] = 0;
}

// What a token's scale depends on; it can be found some columns at a time.
typedef struct irc_span {
  float absmax, low, high;
} irc_span;

IRC_INLINE irc_span irc_no_span(void) {
  irc_span span = {0.0f, -0.0f, 0.0f};
  return span;
}

// Lets a span take in n more numbers: only low and high if codes have a zero point, else absmax.
IRC_INLINE void irc_widen(
  irc_span *span, const float *IRC_RESTRICT x, size_t n, bool has_zero) {
  if (has_zero) {
    float low, high;
    irc_minmax(&low, &high, x, n);
    span->low = low < span->low ? low : span->low;
    span->high = high > span->high ? high : span->high;
  } else {
    float absmax = irc_absmax(x, n);
    span->absmax = absmax > span->absmax ? absmax : span->absmax;
  }
}

// How a token is quantized: what codes are multiplied with afterwards, what x is multiplied with
// before, and the zero point.
typedef struct irc_token_scale {
  float scale, reciprocal;
  int32_t zero;
} irc_token_scale;

IRC_INLINE irc_token_scale irc_scale_of_token(irc_span span, uint32_t bits, bool has_zero) {
  irc_token_scale token = {0.0f, 0.0f, 0};
  float s;
  if (has_zero) {
    s = irc_scale_asymmetric(span.low, span.high, bits);
    token.zero = irc_zero_point(span.low, s, irc_range_of_codes(bits, false));
  } else {
    s = irc_scale_symmetric(span.absmax, bits);
  }
  token.reciprocal = irc_reciprocal(s);
  token.scale = s <= FLT_MAX && token.reciprocal == 0.0f ? 0.0f : s;
  return token;
}

// The codes of a token, with its zero point unless `zero` is NULL; returns its scale.
IRC_INLINE float irc_quantize_token(
  int8_t *IRC_RESTRICT codes, size_t code_stride, int32_t *zero, const float *IRC_RESTRICT x,
  size_t n, uint32_t bits, irc_span span) {
  irc_token_scale token = irc_scale_of_token(span, bits, zero != NULL);
  if (zero) *zero = token.zero;
  irc_quantize(
    codes, x, n, token.reciprocal, token.zero, irc_range_of_codes(bits, zero == NULL));
  irc_pad_codes(codes, n, code_stride);
  return token.scale;
}

// ---- Sequences ----------------------------------------------------------------------------------

// The last width - 1 rows of state and x together. Row r only reads row r + tokens, so oldest first
// is safe in place.
IRC_INLINE void irc_conv_state(
  float *next_state, const float *x, size_t x_stride, const float *state, size_t tokens,
  size_t channels, size_t width) {
  for (size_t r = 0; r + 1 < width; r++) {
    size_t from = r + tokens;
    const float *source =
      from < width - 1 ? state + from * channels : x + (from - (width - 1)) * x_stride;
    memmove(next_state + r * channels, source, channels * sizeof(float));
  }
}

#endif
