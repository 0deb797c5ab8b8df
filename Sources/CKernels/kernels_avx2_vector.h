// Sixteen floats as two vectors of AVX2: what kernels_vector*.h are written in. Everything is static.
// See kernels_avx512_vector.h.
#include <immintrin.h>

#include "kernels_targets.h"

#if defined(__clang__)
#define IRC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define IRC_UNROLL _Pragma("GCC unroll 16")
#endif

#define IRC_VECTOR static inline __attribute__((always_inline, unused)) IRC_TARGET_AVX2
#define IRC_SHARED static __attribute__((noinline, unused)) IRC_TARGET_AVX2
#define IRC_KERNEL IRC_TARGET_AVX2
#define IRC_OF_SET(name) IRC_NAME(name##_avx2)

// What fits into 16 registers of half a vector; see kernels_avx512_vector.h.
enum {
  IRC_TILE_TOKENS = 1,
  IRC_TILE_KEYS = 2,
  IRC_TILE_QUERIES = 2,
  IRC_TILE_HEADS = 2,
  IRC_TILE_VECTORS = 2
};

#define IRC_V_RADIX 4

typedef struct irc_v {
  __m256 a, b;
} irc_v;

#define IRC_V_BOTH(of_a, of_b) \
  irc_v made;                  \
  made.a = of_a;               \
  made.b = of_b;               \
  return made

// All bits where the lane's number is below n: of the first eight lanes, or of the last.
IRC_VECTOR __m256i irc_v_mask(size_t n, int from) {
  __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n - from), lanes);
}

IRC_VECTOR irc_v irc_v_set(float x) { IRC_V_BOTH(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
IRC_VECTOR irc_v irc_v_load(const float *p) {
  IRC_V_BOTH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}
IRC_VECTOR void irc_v_store(float *p, irc_v v) {
  _mm256_storeu_ps(p, v.a);
  _mm256_storeu_ps(p + 8, v.b);
}
IRC_VECTOR irc_v irc_v_load_some(const float *p, size_t n) {
  IRC_V_BOTH(
    _mm256_maskload_ps(p, irc_v_mask(n, 0)), _mm256_maskload_ps(p + 8, irc_v_mask(n, 8)));
}
IRC_VECTOR void irc_v_store_some(float *p, irc_v v, size_t n) {
  _mm256_maskstore_ps(p, irc_v_mask(n, 0), v.a);
  _mm256_maskstore_ps(p + 8, irc_v_mask(n, 8), v.b);
}
IRC_VECTOR irc_v irc_v_first(irc_v v, size_t n) {
  IRC_V_BOTH(
    _mm256_and_ps(v.a, _mm256_castsi256_ps(irc_v_mask(n, 0))),
    _mm256_and_ps(v.b, _mm256_castsi256_ps(irc_v_mask(n, 8))));
}
IRC_VECTOR irc_v irc_v_load_half(const uint16_t *p) {
  IRC_V_BOTH(
    _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
    _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8))));
}
IRC_VECTOR irc_v irc_v_load_half_some(const uint16_t *p, size_t n) {
  uint16_t some[16] = {0};
  memcpy(some, p, n * sizeof *p);
  return irc_v_load_half(some);
}
IRC_VECTOR irc_v irc_v_load_codes(const int8_t *p) {
  __m128i codes = _mm_loadu_si128((const __m128i *)(const void *)p);
  IRC_V_BOTH(
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)),
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(codes, 8))));
}
IRC_VECTOR irc_v irc_v_load_codes_some(const int8_t *p, size_t n) {
  int8_t some[16] = {0};
  memcpy(some, p, n);
  return irc_v_load_codes(some);
}

// Sixteen values, looked up by the four low bits of sixteen codes.
IRC_VECTOR __m256 irc_v_look_up_half(irc_v table, __m128i codes) {
  __m256i code = _mm256_cvtepi8_epi32(codes);
  return _mm256_blendv_ps(
    _mm256_permutevar8x32_ps(table.a, code), _mm256_permutevar8x32_ps(table.b, code),
    _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
}
IRC_VECTOR irc_v irc_v_look_up(irc_v table, const int8_t *codes) {
  __m128i some = _mm_loadu_si128((const __m128i *)(const void *)codes);
  IRC_V_BOTH(
    irc_v_look_up_half(table, some), irc_v_look_up_half(table, _mm_srli_si128(some, 8)));
}

IRC_VECTOR irc_v irc_v_add(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_sub(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_mul(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_div(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_max(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_min(irc_v x, irc_v y) {
  IRC_V_BOTH(_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b));
}
IRC_VECTOR irc_v irc_v_abs(irc_v x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  IRC_V_BOTH(_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b));
}
IRC_VECTOR irc_v irc_v_negate(irc_v x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  IRC_V_BOTH(_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign));
}
IRC_VECTOR irc_v irc_v_if_negative(irc_v x, irc_v y, irc_v z) {
  __m256 zero = _mm256_setzero_ps();
  IRC_V_BOTH(
    _mm256_blendv_ps(z.a, y.a, _mm256_cmp_ps(x.a, zero, _CMP_LT_OQ)),
    _mm256_blendv_ps(z.b, y.b, _mm256_cmp_ps(x.b, zero, _CMP_LT_OQ)));
}
// As irc_exp does it: two factors, of which only the last may round.
IRC_VECTOR __m256 irc_v_scale_half(__m256 p, __m256 shifted) {
  __m256i exponent = _mm256_sub_epi32(
    _mm256_castps_si256(shifted), _mm256_castps_si256(_mm256_set1_ps(IRC_ROUNDER)));
  __m256i half = _mm256_srai_epi32(exponent, 1), bias = _mm256_set1_epi32(127);
  __m256i rest = _mm256_sub_epi32(exponent, half);
  p = _mm256_mul_ps(
    p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
  return _mm256_mul_ps(
    p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}
IRC_VECTOR irc_v irc_v_scale(irc_v p, irc_v k, irc_v shifted) {
  (void)k;
  IRC_V_BOTH(irc_v_scale_half(p.a, shifted.a), irc_v_scale_half(p.b, shifted.b));
}

IRC_VECTOR float irc_v_sum(irc_v v) {
  __m256 a = _mm256_add_ps(v.a, v.b);
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

// The sums of eight vectors.
IRC_VECTOR __m256 irc_v_sums_half(const irc_v v[8]) {
  __m256 s[8], t[4];
  // Number m of what follows is vector 4 (m % 2) + m / 2.
  for (int m = 0; m < 8; m++) {
    const irc_v *from = &v[4 * (m % 2) + m / 2];
    s[m] = _mm256_add_ps(from->a, from->b);
  }
  for (int m = 0; m < 4; m++)
    t[m] = _mm256_add_ps(
      _mm256_permute2f128_ps(s[2 * m], s[2 * m + 1], 0x20),
      _mm256_permute2f128_ps(s[2 * m], s[2 * m + 1], 0x31));
  for (int m = 0; m < 2; m++)
    s[m] = _mm256_add_ps(
      _mm256_shuffle_ps(t[2 * m], t[2 * m + 1], 0x44),
      _mm256_shuffle_ps(t[2 * m], t[2 * m + 1], 0xee));
  return _mm256_add_ps(
    _mm256_shuffle_ps(s[0], s[1], 0x88), _mm256_shuffle_ps(s[0], s[1], 0xdd));
}
IRC_VECTOR irc_v irc_v_sums(irc_v v[16]) { IRC_V_BOTH(irc_v_sums_half(v), irc_v_sums_half(v + 8)); }

IRC_VECTOR float irc_v_largest(irc_v v, float least) {
  __m256 a = _mm256_max_ps(v.a, _mm256_set1_ps(least));
  a = _mm256_max_ps(v.b, a);
  __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

IRC_VECTOR __m256i irc_v_code(__m256 v, __m256 low, __m256 high, __m256i zero) {
  __m256 ordered = _mm256_cmp_ps(v, v, _CMP_ORD_Q);
  v = _mm256_and_ps(_mm256_min_ps(_mm256_max_ps(v, low), high), ordered);
  return _mm256_add_epi32(_mm256_cvtps_epi32(v), zero);
}

IRC_VECTOR __m256i irc_v_codes(
  const float *x, __m256 factor, __m256 low, __m256 high, __m256i zero) {
  __m256i a = irc_v_code(_mm256_mul_ps(_mm256_loadu_ps(x), factor), low, high, zero);
  __m256i b = irc_v_code(_mm256_mul_ps(_mm256_loadu_ps(x + 8), factor), low, high, zero);
  __m256i c = irc_v_code(_mm256_mul_ps(_mm256_loadu_ps(x + 16), factor), low, high, zero);
  __m256i d = irc_v_code(_mm256_mul_ps(_mm256_loadu_ps(x + 24), factor), low, high, zero);
  __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_permutevar8x32_epi32(all, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

IRC_VECTOR void irc_v_quantize(
  int8_t *IRC_RESTRICT codes, const float *IRC_RESTRICT x, size_t n, float r, int32_t zero,
  float least, float most) {
  __m256i z = _mm256_set1_epi32(zero);
  __m256 low = _mm256_set1_ps(least), high = _mm256_set1_ps(most), factor = _mm256_set1_ps(r);
  size_t i = 0;
  for (; i + 32 <= n; i += 32)
    _mm256_storeu_si256(
      (__m256i *)(void *)(codes + i), irc_v_codes(x + i, factor, low, high, z));
  if (i == n) return;
  float rest[32] = {0};
  int8_t made[32];
  memcpy(rest, x + i, (n - i) * sizeof *x);
  _mm256_storeu_si256((__m256i *)(void *)made, irc_v_codes(rest, factor, low, high, z));
  memcpy(codes + i, made, n - i);
}
// See kernels_avx512_vector.h. Products of sixteen bits need no correction.
typedef int irc_v_code_sums;

IRC_VECTOR irc_v_code_sums irc_v_sums_of_codes(const int8_t *q, size_t q_stride, size_t heads) {
  (void)q, (void)q_stride, (void)heads;
  return 0;
}

IRC_VECTOR irc_v irc_v_dot_codes(
  const int8_t *k, size_t stride, const int8_t *q, size_t q_stride, irc_v_code_sums totals,
  size_t n, size_t heads) {
  float sums[16];
  size_t keys = 16 / heads;
  (void)totals;
  for (size_t r = 0; r < keys; r++, k += stride) {
    __m256i sum[4];
    int32_t rest[4] = {0};
    size_t i = 0;
    IRC_UNROLL for (size_t h = 0; h < heads; h++) sum[h] = _mm256_setzero_si256();
    for (; i + 16 <= n; i += 16) {
      __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(k + i)));
      IRC_UNROLL for (size_t h = 0; h < heads; h++) {
        const __m128i *at = (const __m128i *)(const void *)(q + h * q_stride + i);
        sum[h] = _mm256_add_epi32(
          sum[h], _mm256_madd_epi16(a, _mm256_cvtepi8_epi16(_mm_loadu_si128(at))));
      }
    }
    for (; i < n; i++)
      for (size_t h = 0; h < heads; h++) rest[h] += q[h * q_stride + i] * k[i];
    IRC_UNROLL for (size_t h = 0; h < heads; h++) {
      __m128i half =
        _mm_add_epi32(_mm256_castsi256_si128(sum[h]), _mm256_extracti128_si256(sum[h], 1));
      half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
      int32_t whole = _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
      sums[h * keys + r] = (float)(whole + rest[h]);
    }
  }
  return irc_v_load(sums);
}

// ---- Hadamard transforms ------------------------------------------------------------------------

IRC_VECTOR __m256 irc_v_butterflies_half(__m256 v) {
  // A product with a sign is exact, so the sum is all that is rounded.
  __m256 four = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);
  __m256 two = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1);
  __m256 one = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1);
  v = _mm256_fmadd_ps(v, four, _mm256_permute2f128_ps(v, v, 1));
  v = _mm256_fmadd_ps(v, two, _mm256_permute_ps(v, 0x4e));
  return _mm256_fmadd_ps(v, one, _mm256_permute_ps(v, 0xb1));
}
IRC_VECTOR irc_v irc_v_butterflies_within(irc_v v) {
  IRC_V_BOTH(
    irc_v_butterflies_half(_mm256_add_ps(v.a, v.b)),
    irc_v_butterflies_half(_mm256_sub_ps(v.a, v.b)));
}

IRC_VECTOR void irc_v_prefetch(const float *p) {
  _mm_prefetch((const char *)(const void *)p, _MM_HINT_T0);
}

IRC_VECTOR __m256 irc_v_signed_half(__m256 v, const uint32_t *words, int place) {
  __m256i bits = _mm256_sll_epi32(
    _mm256_loadu_si256((const __m256i *)(const void *)words), _mm_cvtsi32_si128(31 - place));
  return _mm256_xor_ps(v, _mm256_and_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(-0.0f)));
}
IRC_VECTOR irc_v irc_v_signed(irc_v v, const uint32_t *words, int place) {
  IRC_V_BOTH(
    irc_v_signed_half(v.a, words, place), irc_v_signed_half(v.b, words + 8, place));
}
#undef IRC_V_BOTH
