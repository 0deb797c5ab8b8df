// Codes, groups and tokens of the integer product for AVX2; see kernels_avx2_integer.c. All static.
#include <immintrin.h>

#define IRC_AVX2 IRC_TARGET_AVX2 IRC_INLINE
#if defined(__clang__)
#define IRC_UNROLL _Pragma("unroll")
#else
#define IRC_UNROLL _Pragma("GCC unroll 16")
#endif

enum {
  IRC_AVX2_TILE = 4,       // tokens that are multiplied side by side, at most
  IRC_AVX2_PIECE = 256,    // columns whose unpacked codes stay in the first-level cache
  IRC_AVX2_TOKENS = 64,    // tokens that go through them
  IRC_AVX2_RESIDENT = 3 << 18,  // bytes of panels that stay in the second-level cache meanwhile
  IRC_AVX2_STREAMS = 4,    // panels that are read side by side where each is needed once
  IRC_AVX2_LONGEST = 1 << 15  // columns of a group whose sums cannot leave 32 bits
};

// How the codes of a matrix are read.
typedef struct irc_avx2_codes {
  const irc_packed_weights *w;
  int32_t offset;     // u - w
  int32_t most;       // the largest u
  int32_t padding;    // u behind the last column
  uint8_t table[16];  // u of a code, where there are levels
} irc_avx2_codes;

IRC_AVX2 __m256i irc_avx2_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
IRC_AVX2 void irc_avx2_store(void *p, __m256i v) { _mm256_storeu_si256((__m256i *)p, v); }

// Four bytes in all lanes.
IRC_AVX2 __m256i irc_avx2_four(const void *p) {
  int32_t word;
  memcpy(&word, p, 4);
  return _mm256_set1_epi32(word);
}

// ---- Codes --------------------------------------------------------------------------------------

// Bits `from` and up of sixteen-bit lanes moved to bit `to`.
IRC_AVX2 __m256i irc_avx2_move(__m256i v, int from, int to) {
  return from > to ? _mm256_srli_epi16(v, from - to)
    : from < to    ? _mm256_slli_epi16(v, to - from)
                   : v;
}

// u of sixteen columns, the first or second half of a block, by steps of four columns: of rows 8 v up
// to 8 v + 7.
IRC_AVX2 void irc_avx2_half(
  __m256i u[4], const uint8_t *block, uint32_t bits, bool is_table, __m256i table, int half,
  int v) {
  const int low = bits & 4;
  block += 32 * v;
  const uint8_t *pairs = block + (low ? 256 : 0), *singles = pairs + (bits & 2 ? 128 : 0);
  if (bits == 8) {
    IRC_UNROLL for (int s = 0; s < 4; s++) u[s] = irc_avx2_load(block + 64 * (4 * half + s));
    return;
  }
  u[0] = u[1] = u[2] = u[3] = _mm256_setzero_si256();
  if (bits & 4) {
    const __m256i mask = _mm256_set1_epi8(15);
    IRC_UNROLL for (int p = 0; p < 2; p++) {
      __m256i both = irc_avx2_load(block + 64 * (2 * half + p));
      u[2 * p] = _mm256_and_si256(both, mask);
      u[2 * p + 1] = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
    }
  }
  if (bits & 2) {
    const __m256i mask = _mm256_set1_epi8((char)(3 << low));
    __m256i all = irc_avx2_load(pairs + 64 * half);
    IRC_UNROLL for (int s = 0; s < 4; s++)
      u[s] = _mm256_or_si256(u[s], _mm256_and_si256(irc_avx2_move(all, 2 * s, low), mask));
  }
  if (bits & 1) {
    const int at = (int)bits - 1;
    const __m256i mask = _mm256_set1_epi8((char)(1 << at));
    __m256i all = irc_avx2_load(singles);
    IRC_UNROLL for (int s = 0; s < 4; s++)
      u[s] = _mm256_or_si256(
        u[s], _mm256_and_si256(irc_avx2_move(all, 4 * half + s, at), mask));
  }
  if (is_table)
    IRC_UNROLL for (int s = 0; s < 4; s++) u[s] = _mm256_shuffle_epi8(table, u[s]);
}

// Sums of products of two neighbours, added to those in 32 bits.
IRC_AVX2 __m256i irc_avx2_widen(__m256i sum, __m256i part) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(part, _mm256_set1_epi16(1)));
}

// ---- Groups -------------------------------------------------------------------------------------

// Eight scales from number `index` on, as irc_scale_at reads them, times level_step.
IRC_AVX2 __m256 irc_avx2_scales(const irc_packed_weights *w, size_t index) {
  __m256 scale;
  switch (w->scale_type) {
    case IRC_SCALE_F16:
      scale = _mm256_cvtph_ps(
        _mm_loadu_si128((const __m128i *)(const void *)((const uint16_t *)w->scales + index)));
      break;
    case IRC_SCALE_F32:
      scale = _mm256_loadu_ps((const float *)w->scales + index);
      break;
    default: {
      const __m256i code = _mm256_cvtepu8_epi32(
        _mm_loadl_epi64((const __m128i *)(const void *)((const uint8_t *)w->scales + index)));
      const __m256i not_a_number = _mm256_set1_epi32(0x7fc00000);
      if (w->scale_type == IRC_SCALE_E8M0) {
        __m256i bits = _mm256_slli_epi32(code, 23);
        __m256i is_least = _mm256_cmpeq_epi32(code, _mm256_setzero_si256());
        __m256i is_nan = _mm256_cmpeq_epi32(code, _mm256_set1_epi32(255));
        bits = _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x00400000), is_least);
        scale = _mm256_castsi256_ps(_mm256_blendv_epi8(bits, not_a_number, is_nan));
        break;
      }
      __m256i rest = _mm256_and_si256(code, _mm256_set1_epi32(0x7f));
      __m256i is_nan = _mm256_cmpeq_epi32(rest, _mm256_set1_epi32(0x7f));
      scale = _mm256_mul_ps(
        _mm256_castsi256_ps(_mm256_slli_epi32(rest, 20)), _mm256_set1_ps(0x1p120f));
      scale = _mm256_blendv_ps(
        scale, _mm256_castsi256_ps(not_a_number), _mm256_castsi256_ps(is_nan));
      scale = _mm256_mul_ps(scale, _mm256_set1_ps(*w->tensor_scale));
      break;
    }
  }
  return w->levels ? _mm256_mul_ps(scale, _mm256_set1_ps(w->level_step)) : scale;
}

IRC_AVX2 __m256i irc_avx2_zeros(const irc_packed_weights *w, size_t index) {
  return _mm256_cvtepi8_epi32(
    _mm_loadl_epi64((const __m128i *)(const void *)(w->zeros + index)));
}

// What is added to the sum of u x in a group, whatever the row: -offset times the sum of x, and
// more; and the sum of x.
typedef struct irc_avx2_group {
  int32_t added, sum;
} irc_avx2_group;

IRC_AVX2 __m256 irc_avx2_add_group(__m256 acc, __m256i sum, __m256 scale) {
  return _mm256_add_ps(acc, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), scale));
}

// The rows of a panel, at most sixteen, of a token's result.
IRC_AVX2 void irc_avx2_put(
  float *IRC_RESTRICT y, __m256 low, __m256 high, float x_scale, const float *bias, size_t rows) {
  float room[16];
  const __m256 scale = _mm256_set1_ps(x_scale);
  low = _mm256_mul_ps(low, scale);
  high = _mm256_mul_ps(high, scale);
  if (bias && rows == 16) {
    low = _mm256_add_ps(low, _mm256_loadu_ps(bias));
    high = _mm256_add_ps(high, _mm256_loadu_ps(bias + 8));
  }
  float *to = rows == 16 ? y : room;
  _mm256_storeu_ps(to, low);
  _mm256_storeu_ps(to + 8, high);
  if (rows < 16)
    for (size_t r = 0; r < rows; r++) y[r] = bias ? room[r] + bias[r] : room[r];
}

// ---- Tokens -------------------------------------------------------------------------------------

IRC_AVX2 int32_t irc_avx2_sum(__m128i v) {
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1));
  return _mm_cvtsi128_si32(v);
}

// Sums of signed bytes, in four lanes.
IRC_AVX2 __m128i irc_avx2_add_bytes(__m128i sum, __m128i bytes) {
  return _mm_add_epi32(
    sum, _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), bytes), _mm_set1_epi16(1)));
}

// The columns of group g, up to the next multiple of sixteen: x is zero there.
IRC_AVX2 size_t irc_avx2_group_end(const irc_packed_weights *w, size_t g) {
  size_t end = (g + 1) * w->group < w->in ? (g + 1) * w->group : w->in;
  return (end + 15) / 16 * 16;
}

// A token's sums of groups.
IRC_AVX2 void irc_avx2_sums(
  irc_avx2_group *group, const irc_avx2_codes *codes, const int8_t *IRC_RESTRICT x) {
  const irc_packed_weights *w = codes->w;
  for (size_t g = 0, i = 0; g < w->groups; g++) {
    __m128i sum = _mm_setzero_si128();
    for (size_t end = irc_avx2_group_end(w, g); i < end; i += 16)
      sum = irc_avx2_add_bytes(sum, _mm_loadu_si128((const __m128i *)(const void *)(x + i)));
    group[g].sum = irc_avx2_sum(sum);
    group[g].added = -codes->offset * group[g].sum;
  }
}

// 1 if it is better to multiply x + 1; *cut says whether that, or x, leaves -127...127 somewhere.
IRC_AVX2 int32_t irc_avx2_step_up(bool *cut, const int8_t *IRC_RESTRICT x, size_t n) {
  __m256i lowest = _mm256_setzero_si256(), highest = lowest;
  for (size_t i = 0; i < n; i += 32) {
    lowest = _mm256_min_epi8(lowest, irc_avx2_load(x + i));
    highest = _mm256_max_epi8(highest, irc_avx2_load(x + i));
  }
  bool is_low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(lowest, _mm256_set1_epi8(-128))) != 0;
  bool is_high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(highest, _mm256_set1_epi8(127))) != 0;
  *cut = is_low && is_high;
  if (!*cut) return is_low;
  size_t low = 0, high = 0;
  for (size_t i = 0; i < n; i += 32) {
    __m256i v = irc_avx2_load(x + i);
    low += (size_t)__builtin_popcount(
      (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(-128))));
    high += (size_t)__builtin_popcount(
      (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(127))));
  }
  return low > high;
}

// A token for codes of eight bits: `flipped` is x + up, cut, with the second of two neighbours
// negated if they have the same sign; `chosen` has 255 where that is so, or, if `is_short`, 8 times
// the number of the version of the weights for each four columns.
IRC_AVX2 void irc_avx2_flip(
  int8_t *IRC_RESTRICT flipped, uint8_t *IRC_RESTRICT chosen, irc_avx2_group *group,
  const irc_avx2_codes *codes, const int8_t *IRC_RESTRICT x, int32_t up, bool is_short) {
  const irc_packed_weights *w = codes->w;
  const __m128i lanes = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (size_t g = 0, i = 0; g < w->groups; g++) {
    __m128i sum = _mm_setzero_si128(), turned = sum;
    size_t first = i;
    for (size_t end = irc_avx2_group_end(w, g); i < end; i += 16) {
      size_t left = w->in - i;
      __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
      __m128i step = _mm_set1_epi8((char)up);
      if (left < 16) step = _mm_and_si128(step, _mm_cmpgt_epi8(_mm_set1_epi8((char)left), lanes));
      __m128i v = _mm_max_epi8(_mm_adds_epi8(raw, step), _mm_set1_epi8(-127));
      __m128i differ = _mm_srai_epi16(_mm_xor_si128(v, _mm_slli_epi16(v, 8)), 15);
      __m128i mask = _mm_andnot_si128(differ, _mm_set1_epi16((short)0xff00));
      _mm_storeu_si128(
        (__m128i *)(void *)(flipped + i), _mm_sub_epi8(_mm_xor_si128(v, mask), mask));
      if (is_short) {
        // Bits 3 of the first pair and 4 of the second.
        __m128i bit = _mm_srli_epi16(_mm_and_si128(mask, _mm_set1_epi32(0x10000800)), 8);
        bit = _mm_packs_epi32(_mm_madd_epi16(bit, _mm_set1_epi16(1)), bit);
        int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(bit, bit));
        memcpy(chosen + i / 4, &four, 4);
      } else {
        _mm_storeu_si128((__m128i *)(void *)(chosen + i), mask);
      }
      sum = irc_avx2_add_bytes(sum, raw);
      turned = irc_avx2_add_bytes(turned, _mm_and_si128(v, mask));
    }
    size_t length = (i < w->in ? i : w->in) - first;
    group[g].sum = irc_avx2_sum(sum) + up * (int32_t)length;
    group[g].added = 255 * irc_avx2_sum(turned) - codes->offset * group[g].sum;
  }
}
