// Sixteen floats of AVX-512: what kernels_vector*.h are written in. Everything is static.
//
// A vector of sixteen is a row of IRC_LANES. irc_v_max(a, b) is a > b ? a : b and irc_v_min(a, b) is
// a < b ? a : b, so the second one passes wherever a NaN is compared.
#include <immintrin.h>

#include "kernels_targets.h"

// Keeps loops whose bounds are constants from being loops, whatever the optimisation.
#if defined(__clang__)
#define IRC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define IRC_UNROLL _Pragma("GCC unroll 16")
#endif

// Helpers are inlined without fail, except the shared ones, of which one copy is enough.
#define IRC_VECTOR static inline __attribute__((always_inline, unused)) IRC_TARGET_AVX512_VNNI
#define IRC_SHARED static __attribute__((noinline, unused)) IRC_TARGET_AVX512_VNNI
#define IRC_KERNEL IRC_TARGET_AVX512_VNNI
#define IRC_OF_SET(name) IRC_NAME(name##_avx512)

// What fits into 32 registers: tokens that a tile of products takes with four rows, keys by queries of
// attention, and heads by vectors of values.
enum {
  IRC_TILE_TOKENS = 4,
  IRC_TILE_KEYS = 4,
  IRC_TILE_QUERIES = 4,
  IRC_TILE_HEADS = 4,
  IRC_TILE_VECTORS = 4
};

// Vectors that a pass of a Hadamard transform holds.
#define IRC_V_RADIX 16

typedef __m512 irc_v;

IRC_VECTOR __mmask16 irc_v_mask(size_t n) { return (__mmask16)((1u << n) - 1u); }

IRC_VECTOR irc_v irc_v_set(float x) { return _mm512_set1_ps(x); }
IRC_VECTOR irc_v irc_v_load(const float *p) { return _mm512_loadu_ps(p); }
IRC_VECTOR void irc_v_store(float *p, irc_v v) { _mm512_storeu_ps(p, v); }
// The first n < 16 numbers, and zeros.
IRC_VECTOR irc_v irc_v_load_some(const float *p, size_t n) {
  return _mm512_maskz_loadu_ps(irc_v_mask(n), p);
}
IRC_VECTOR void irc_v_store_some(float *p, irc_v v, size_t n) {
  _mm512_mask_storeu_ps(p, irc_v_mask(n), v);
}
IRC_VECTOR irc_v irc_v_first(irc_v v, size_t n) { return _mm512_maskz_mov_ps(irc_v_mask(n), v); }
IRC_VECTOR irc_v irc_v_load_half(const uint16_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
IRC_VECTOR irc_v irc_v_load_half_some(const uint16_t *p, size_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(irc_v_mask(n), p));
}
IRC_VECTOR irc_v irc_v_load_codes(const int8_t *p) {
  return _mm512_cvtepi32_ps(
    _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
IRC_VECTOR irc_v irc_v_load_codes_some(const int8_t *p, size_t n) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(irc_v_mask(n), p)));
}

// Sixteen values, looked up by the four low bits of sixteen codes.
IRC_VECTOR irc_v irc_v_look_up(irc_v table, const int8_t *codes) {
  __m128i some = _mm_loadu_si128((const __m128i *)(const void *)codes);
  return _mm512_permutexvar_ps(_mm512_cvtepi8_epi32(some), table);
}

IRC_VECTOR irc_v irc_v_add(irc_v a, irc_v b) { return _mm512_add_ps(a, b); }
IRC_VECTOR irc_v irc_v_sub(irc_v a, irc_v b) { return _mm512_sub_ps(a, b); }
IRC_VECTOR irc_v irc_v_mul(irc_v a, irc_v b) { return _mm512_mul_ps(a, b); }
IRC_VECTOR irc_v irc_v_div(irc_v a, irc_v b) { return _mm512_div_ps(a, b); }
IRC_VECTOR irc_v irc_v_max(irc_v a, irc_v b) { return _mm512_max_ps(a, b); }
IRC_VECTOR irc_v irc_v_min(irc_v a, irc_v b) { return _mm512_min_ps(a, b); }
IRC_VECTOR irc_v irc_v_abs(irc_v a) { return _mm512_abs_ps(a); }
IRC_VECTOR irc_v irc_v_negate(irc_v a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
// x < 0 ? a : b
IRC_VECTOR irc_v irc_v_if_negative(irc_v x, irc_v a, irc_v b) {
  return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), a);
}
// p * 2^k, rounded once, for integers k; `shifted` is k + IRC_ROUNDER.
IRC_VECTOR irc_v irc_v_scale(irc_v p, irc_v k, irc_v shifted) {
  (void)shifted;
  return _mm512_scalef_ps(p, k);
}

IRC_VECTOR float irc_v_sum(irc_v v) {
  __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

// The sums of sixteen vectors, each in the tree of irc_sum_lanes; destroys them.
IRC_VECTOR irc_v irc_v_sums(irc_v v[16]) {
  // Number m of what follows is vector 4 (m % 4) + m / 4: so the sums come out in order.
#define IRC_AT(m) v[4 * ((m) % 4) + (m) / 4]
#define IRC_JOIN_PAIR(to, a, b, shuffle, low, high) \
  to = _mm512_add_ps(shuffle(a, b, low), shuffle(a, b, high))
  IRC_JOIN_PAIR(IRC_AT(0), IRC_AT(0), IRC_AT(1), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(2), IRC_AT(2), IRC_AT(3), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(4), IRC_AT(4), IRC_AT(5), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(6), IRC_AT(6), IRC_AT(7), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(8), IRC_AT(8), IRC_AT(9), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(10), IRC_AT(10), IRC_AT(11), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(12), IRC_AT(12), IRC_AT(13), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(14), IRC_AT(14), IRC_AT(15), _mm512_shuffle_f32x4, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(0), IRC_AT(0), IRC_AT(2), _mm512_shuffle_f32x4, 0x88, 0xdd);
  IRC_JOIN_PAIR(IRC_AT(4), IRC_AT(4), IRC_AT(6), _mm512_shuffle_f32x4, 0x88, 0xdd);
  IRC_JOIN_PAIR(IRC_AT(8), IRC_AT(8), IRC_AT(10), _mm512_shuffle_f32x4, 0x88, 0xdd);
  IRC_JOIN_PAIR(IRC_AT(12), IRC_AT(12), IRC_AT(14), _mm512_shuffle_f32x4, 0x88, 0xdd);
  IRC_JOIN_PAIR(IRC_AT(0), IRC_AT(0), IRC_AT(4), _mm512_shuffle_ps, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(8), IRC_AT(8), IRC_AT(12), _mm512_shuffle_ps, 0x44, 0xee);
  IRC_JOIN_PAIR(IRC_AT(0), IRC_AT(0), IRC_AT(8), _mm512_shuffle_ps, 0x88, 0xdd);
#undef IRC_AT
#undef IRC_JOIN_PAIR
  return v[0];
}

// The largest lane, passing over NaNs, or `least`.
IRC_VECTOR float irc_v_largest(irc_v v, float least) {
  return _mm512_reduce_max_ps(_mm512_max_ps(v, _mm512_set1_ps(least)));
}

// Codes clamp(rint(v)) + zero of sixteen numbers, 0 + zero for a NaN.
IRC_VECTOR __m512i irc_v_code(irc_v v, irc_v low, irc_v high, __m512i zero) {
  __mmask16 ordered = _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q);
  v = _mm512_min_ps(_mm512_max_ps(v, low), high);
  return _mm512_add_epi32(_mm512_maskz_cvtps_epi32(ordered, v), zero);
}

// codes = clamp(rint(x * r), low, high) + zero: (n) -> (n)
IRC_VECTOR void irc_v_quantize(
  int8_t *IRC_RESTRICT codes, const float *IRC_RESTRICT x, size_t n, float r, int32_t zero,
  float least, float most) {
  __m512i z = _mm512_set1_epi32(zero);
  __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  irc_v low = irc_v_set(least), high = irc_v_set(most), factor = irc_v_set(r);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    __m512i a = irc_v_code(irc_v_mul(irc_v_load(x + i), factor), low, high, z);
    __m512i b = irc_v_code(irc_v_mul(irc_v_load(x + i + 16), factor), low, high, z);
    __m512i c = irc_v_code(irc_v_mul(irc_v_load(x + i + 32), factor), low, high, z);
    __m512i d = irc_v_code(irc_v_mul(irc_v_load(x + i + 48), factor), low, high, z);
    __m512i all = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    _mm512_storeu_si512(codes + i, _mm512_permutexvar_epi32(order, all));
  }
  for (; i < n; i += 16) {
    __mmask16 mask = n - i < 16 ? irc_v_mask(n - i) : (__mmask16)0xffff;
    __m512i a = irc_v_code(
      irc_v_mul(_mm512_maskz_loadu_ps(mask, x + i), factor), low, high, z);
    _mm512_mask_cvtepi32_storeu_epi8(codes + i, mask, a);
  }
}

// What irc_v_dot_codes wants to know of the queries.
typedef __m512i irc_v_code_sums;

// Instructions want one side without signs, k + 128: so 128 times the sum of a query comes off.
IRC_VECTOR irc_v_code_sums irc_v_sums_of_codes(const int8_t *q, size_t q_stride, size_t heads) {
  int32_t sums[16];
  for (size_t h = 0; h < heads; h++) {
    int32_t sum = 0;
    for (size_t i = 0; i < q_stride; i++) sum += q[h * q_stride + i];
    for (size_t r = 0; r < 16 / heads; r++) sums[h * (16 / heads) + r] = 128 * sum;
  }
  return _mm512_loadu_si512(sums);
}

// The codes of 16 / heads keys times those of the heads' queries: exact sums, as floats, in lanes
// [head * keys + key]. Behind the n codes of a query lie zeros up to a multiple of 64.
IRC_VECTOR irc_v irc_v_dot_codes(
  const int8_t *k, size_t stride, const int8_t *q, size_t q_stride, irc_v_code_sums totals,
  size_t n, size_t heads) {
  __m512i flip = _mm512_set1_epi8(-128), sum[16], t[8];
  size_t keys = 16 / heads;
  IRC_UNROLL for (size_t r = 0; r < 16; r++) sum[r] = _mm512_setzero_si512();
  for (size_t i = 0; i < n; i += 64) {
    __mmask64 mask = n - i < 64 ? ((__mmask64)1 << (n - i)) - 1 : ~(__mmask64)0;
    IRC_UNROLL for (size_t r = 0; r < keys; r++) {
      __m512i codes =
        _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, k + r * stride + i), flip);
      IRC_UNROLL for (size_t h = 0; h < heads; h++)
        sum[h * keys + r] = _mm512_dpbusd_epi32(
          sum[h * keys + r], codes, _mm512_loadu_si512(q + h * q_stride + i));
    }
  }
  // Number m of what follows is vector 4 (m % 4) + m / 4, as in irc_v_sums.
  IRC_UNROLL for (size_t m = 0; m < 16; m += 2) {
    __m512i a = sum[4 * (m % 4) + m / 4], b = sum[4 * ((m + 1) % 4) + m / 4];
    t[m / 2] = _mm512_add_epi32(
      _mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
  }
  IRC_UNROLL for (size_t m = 0; m < 8; m += 2)
    t[m / 2] = _mm512_add_epi32(
      _mm512_shuffle_i32x4(t[m], t[m + 1], 0x88), _mm512_shuffle_i32x4(t[m], t[m + 1], 0xdd));
  IRC_UNROLL for (size_t m = 0; m < 4; m += 2)
    t[m / 2] = _mm512_add_epi32(
      _mm512_unpacklo_epi64(t[m], t[m + 1]), _mm512_unpackhi_epi64(t[m], t[m + 1]));
  __m512 a = _mm512_castsi512_ps(t[0]), b = _mm512_castsi512_ps(t[1]);
  __m512i even = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88));
  __m512i odd = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd));
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_add_epi32(even, odd), totals));
}

// ---- Hadamard transforms ------------------------------------------------------------------------

// (left + right, left - right) of lanes that lie so far apart.
IRC_VECTOR irc_v irc_v_butterflies_within(irc_v v) {
  // A product with a sign is exact, so the sum is all that is rounded.
  __m512 far = _mm512_setr_ps(1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1);
  __m512 four = _mm512_setr_ps(1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1);
  __m512 two = _mm512_setr_ps(1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1);
  __m512 one = _mm512_setr_ps(1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1);
  v = _mm512_fmadd_ps(v, far, _mm512_shuffle_f32x4(v, v, 0x4e));
  v = _mm512_fmadd_ps(v, four, _mm512_shuffle_f32x4(v, v, 0xb1));
  v = _mm512_fmadd_ps(v, two, _mm512_permute_ps(v, 0x4e));
  return _mm512_fmadd_ps(v, one, _mm512_permute_ps(v, 0xb1));
}

IRC_VECTOR void irc_v_prefetch(const float *p) {
  _mm_prefetch((const char *)(const void *)p, _MM_HINT_T0);
}

// v, negated in lane j where bit `place` of words[j] is set.
IRC_VECTOR irc_v irc_v_signed(irc_v v, const uint32_t *words, int place) {
  __m512i bits = _mm512_sll_epi32(
    _mm512_loadu_si512(words), _mm_cvtsi32_si128(31 - place));
  __m512i sign = _mm512_and_si512(bits, _mm512_set1_epi32(INT32_MIN));
  return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(v), sign));
}
