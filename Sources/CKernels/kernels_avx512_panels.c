// Products of float activations with weights in panels, for AVX-512: sixteen rows a vector.
#include "kernels_packed.h"
#include "kernels_sets.h"

#if IRC_X86

#include <immintrin.h>

#define IRC_PANEL IRC_TARGET_AVX512_VNNI IRC_INLINE
#define IRC_P_KERNEL IRC_TARGET_AVX512_VNNI
#define IRC_P_SET(name) IRC_NAME(name##_avx512)
#define IRC_P_ROWS 16
#if defined(__clang__)
#define IRC_UNROLL _Pragma("unroll")
#else
#define IRC_UNROLL _Pragma("GCC unroll 16")
#endif

typedef __m512 irc_p;
typedef __m512i irc_pi;
typedef uint32_t irc_p_words __attribute__((vector_size(64)));

IRC_PANEL irc_p irc_p_set(float x) { return _mm512_set1_ps(x); }
IRC_PANEL irc_p irc_p_load(const float *p) { return _mm512_loadu_ps(p); }
IRC_PANEL void irc_p_store(float *p, irc_p v) { _mm512_storeu_ps(p, v); }
IRC_PANEL irc_p irc_p_add(irc_p a, irc_p b) { return _mm512_add_ps(a, b); }
IRC_PANEL irc_p irc_p_sub(irc_p a, irc_p b) { return _mm512_sub_ps(a, b); }
IRC_PANEL irc_p irc_p_mul(irc_p a, irc_p b) { return _mm512_mul_ps(a, b); }

IRC_PANEL irc_pi irc_p_bits(int32_t bits) { return _mm512_set1_epi32(bits); }
IRC_PANEL irc_pi irc_p_load_codes(const uint8_t *p) { return _mm512_loadu_si512(p); }
IRC_PANEL irc_pi irc_p_and(irc_pi a, irc_pi b) { return _mm512_and_si512(a, b); }
IRC_PANEL irc_pi irc_p_or(irc_pi a, irc_pi b) { return _mm512_or_si512(a, b); }
IRC_PANEL irc_pi irc_p_down(irc_pi v, int n) { return (irc_pi)((irc_p_words)v >> n); }
IRC_PANEL irc_pi irc_p_up(irc_pi v, int n) { return (irc_pi)((irc_p_words)v << n); }
IRC_PANEL irc_pi irc_p_down_by(irc_pi v, int n) {
  return _mm512_srl_epi32(v, _mm_cvtsi32_si128(n));
}

// Sixteen bytes, one a lane.
IRC_PANEL irc_pi irc_p_widen(const uint8_t *p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
IRC_PANEL irc_p irc_p_load_bytes(const int8_t *p) {
  return _mm512_cvtepi32_ps(
    _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
IRC_PANEL irc_p irc_p_load_half(const uint16_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
// b where two integers are equal, else a.
IRC_PANEL irc_pi irc_p_where(irc_pi one, irc_pi other, irc_pi a, irc_pi b) {
  return _mm512_mask_mov_epi32(a, _mm512_cmpeq_epi32_mask(one, other), b);
}
IRC_PANEL irc_p irc_p_float(irc_pi bits) { return _mm512_castsi512_ps(bits); }
IRC_PANEL irc_pi irc_p_of_float(irc_p v) { return _mm512_castps_si512(v); }

// 2^23 with the bits of `mask` of a code added.
IRC_PANEL irc_p irc_p_mantissa(irc_pi code, irc_pi mask) {
  return _mm512_castsi512_ps(
    _mm512_ternarylogic_epi32(code, mask, _mm512_set1_epi32(0x4b000000), 0xea));
}

// Values of up to sixteen codes lie in a register, again and again where there are fewer, so that
// higher bits do not matter.
typedef struct irc_p_table {
  __m512 values;
  const float *all;
} irc_p_table;

IRC_PANEL irc_p_table irc_p_make_table(const float values[16], const float *all) {
  irc_p_table table = {_mm512_loadu_ps(values), all};
  return table;
}

IRC_PANEL irc_p irc_p_look_up(const irc_p_table *table, irc_pi code, irc_pi mask, uint32_t bits) {
  if (bits <= 4) return _mm512_permutexvar_ps(code, table->values);
  return _mm512_i32gather_ps(_mm512_and_si512(code, mask), table->all, 4);
}

#include "kernels_vector_panels.h"

#endif
