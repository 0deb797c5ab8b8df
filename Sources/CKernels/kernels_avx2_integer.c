// The integer product for AVX2, which multiplies unsigned by signed bytes and adds neighbours in
// sixteen bits that saturate. So codes are made unsigned, u = w + offset, and a sum over a group is
//   sum (w - z) (x - x_z) = sum u x - (offset + z) sum x - x_z (sum u - (offset + z) length).
// Where u has at most seven bits two products never saturate, and of fewer bits several sums fit
// into sixteen. Eight bits need another idea: u1 x1 + u2 x2 fits wherever x1 and x2 differ in sign,
// and where they do not,
//   u1 x1 + u2 x2 = u1 x1 + (255 - u2) (-x2) + 255 x2,
// whose first two terms differ in sign again. The last term is the same for all rows. So four
// columns of a token choose among four versions of the weights, with the second or fourth inverted
// or not. -128 has no negative: x + 1 is multiplied instead, and where 127 is there too what is cut
// off is added one by one.
#include "kernels_packed.h"
#include "kernels_sets.h"

#if IRC_X86

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

// ---- One token ----------------------------------------------------------------------------------

// Steps whose sums of two products fit into sixteen bits, where u is at most `most`.
IRC_AVX2 int irc_avx2_steps(int32_t most) { return most == 0 ? 64 : 32767 / (256 * most); }

// Adds the products of step s of half a block and eight rows.
IRC_AVX2 void irc_avx2_one_step(
  __m256i *sum, __m256i *part, __m256i u, const int8_t *x, int s, int steps) {
  __m256i two = _mm256_maddubs_epi16(u, irc_avx2_four(x + 4 * s));
  *part = steps < 8 && s % steps == 0 ? two : _mm256_add_epi16(*part, two);
  if (steps < 8 && (s + 1) % steps == 0) *sum = irc_avx2_widen(*sum, *part);
}

// Those of all four. `flips` is NULL where u has seven bits.
IRC_AVX2 void irc_avx2_one_eight(
  __m256i *sum, __m256i *part, const uint8_t *block, const int8_t *x, const uint8_t *flips,
  uint32_t bits, bool is_table, __m256i table, int half, int v, int steps) {
  __m256i u[4];
  irc_avx2_half(u, block, bits, is_table, table, half, v);
  if (flips)
    IRC_UNROLL for (int s = 0; s < 4; s++)
      u[s] = _mm256_xor_si256(u[s], irc_avx2_four(flips + 4 * s));
  irc_avx2_one_step(sum, part, u[0], x, 0, steps);
  irc_avx2_one_step(sum, part, u[1], x, 1, steps);
  irc_avx2_one_step(sum, part, u[2], x, 2, steps);
  irc_avx2_one_step(sum, part, u[3], x, 3, steps);
}

// The same of sixteen rows.
IRC_AVX2 void irc_avx2_one_half(
  __m256i sum[2], __m256i part[2], const uint8_t *block, const int8_t *x, const uint8_t *flips,
  uint32_t bits, bool is_table, __m256i table, int half, int steps) {
  irc_avx2_one_eight(sum, part, block, x, flips, bits, is_table, table, half, 0, steps);
  irc_avx2_one_eight(sum + 1, part + 1, block, x, flips, bits, is_table, table, half, 1, steps);
}

// The same of half a block that stands alone.
IRC_TARGET_AVX2 static void irc_avx2_one_odd(
  __m256i sum[2], const uint8_t *panel, const int8_t *x, const uint8_t *flips, size_t h,
  uint32_t bits, bool is_table, __m256i table) {
  __m256i part[2];
  irc_avx2_one_half(
    sum, part, panel + h / 2 * 64 * bits, x + 16 * h, flips ? flips + 16 * h : NULL, bits, is_table,
    table, h % 2, 1);
}

// Adds the products of columns 16 first ..< 16 last of a panel.
IRC_AVX2 void irc_avx2_one_run(
  __m256i sum[2], const uint8_t *panel, const int8_t *x, const uint8_t *flips, size_t first,
  size_t last, uint32_t bits, bool is_table, __m256i table, int steps) {
  const size_t ahead = 4096;
  size_t h = first;
  if (h < last && h % 2) irc_avx2_one_odd(sum, panel, x, flips, h++, bits, is_table, table);
  while (h + 2 <= last) {
    __m256i part[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const size_t most = steps < 8 ? SIZE_MAX : (size_t)(steps / 8);
    size_t blocks = (last - h) / 2 < most ? (last - h) / 2 : most;
    for (; blocks > 0; blocks--, h += 2) {
      const uint8_t *block = panel + h / 2 * 64 * bits;
      IRC_UNROLL for (uint32_t line = 0; line < bits; line++)
        _mm_prefetch((const char *)block + ahead + 64 * line, _MM_HINT_T0);
      const int8_t *of_token = x + 16 * h;
      const uint8_t *of_flips = flips ? flips + 16 * h : NULL;
      irc_avx2_one_half(sum, part, block, of_token, of_flips, bits, is_table, table, 0, steps);
      of_token += 16;
      of_flips = flips ? of_flips + 16 : NULL;
      irc_avx2_one_half(sum, part, block, of_token, of_flips, bits, is_table, table, 1, steps);
    }
    if (steps >= 8) {
      sum[0] = irc_avx2_widen(sum[0], part[0]);
      sum[1] = irc_avx2_widen(sum[1], part[1]);
    }
  }
  if (h < last) irc_avx2_one_odd(sum, panel, x, flips, h, bits, is_table, table);
}

// A token without a zero point. Four panels at a time, a few kilobytes of each in turn: as many
// streams as a processor's own prefetching follows.
IRC_AVX2 void irc_avx2_one(
  float *IRC_RESTRICT y, const int8_t *x, float x_scale, const irc_avx2_codes *codes,
  const float *bias, const irc_avx2_group *group, const uint8_t *flips, uint32_t bits,
  bool is_table, int steps) {
  const irc_packed_weights *w = codes->w;
  const __m256i table = _mm256_broadcastsi128_si256(
    _mm_loadu_si128((const __m128i *)(const void *)codes->table));
  const size_t panel_bytes = IRC_PANEL_ROWS * w->row_bytes, piece = 2048 / bits / 32 * 32;
  for (size_t o = 0; o < w->out; o += IRC_AVX2_STREAMS * IRC_PANEL_ROWS) {
    size_t panels = (w->out - o + IRC_PANEL_ROWS - 1) / IRC_PANEL_ROWS;
    if (panels > IRC_AVX2_STREAMS) panels = IRC_AVX2_STREAMS;
    __m256i sums[IRC_AVX2_STREAMS][2];
    __m256 accs[IRC_AVX2_STREAMS][2];
    for (size_t p = 0; p < panels; p++) {
      sums[p][0] = sums[p][1] = _mm256_setzero_si256();
      accs[p][0] = accs[p][1] = _mm256_setzero_ps();
    }
    size_t g = 0, of_piece = 0;
    for (size_t start = 0; start < w->in; start += piece) {
      size_t stop = w->in - start < piece ? w->in : start + piece;
      for (size_t p = 0; p < panels; p++) {
        const uint8_t *panel = (const uint8_t *)w->codes + (o / IRC_PANEL_ROWS + p) * panel_bytes;
        __m256i sum[2] = {sums[p][0], sums[p][1]};
        __m256 acc[2] = {accs[p][0], accs[p][1]};
        of_piece = g;
        for (size_t i = start; i < stop;) {
          size_t last = (of_piece + 1) * w->group, end = last < stop ? last : stop;
          irc_avx2_one_run(
            sum, panel, x, flips, i / 16, (end + 15) / 16, bits, is_table, table, steps);
          i = end;
          if (end < last && end < w->in) break;
          size_t index = ((o / IRC_PANEL_ROWS + p) * w->groups + of_piece) * IRC_PANEL_ROWS;
          IRC_UNROLL for (size_t v = 0; v < 2; v++) {
            sum[v] = _mm256_add_epi32(sum[v], _mm256_set1_epi32(group[of_piece].added));
            if (w->zeros)
              sum[v] = _mm256_sub_epi32(
                sum[v], _mm256_mullo_epi32(
                          irc_avx2_zeros(w, index + 8 * v),
                          _mm256_set1_epi32(group[of_piece].sum)));
            acc[v] = irc_avx2_add_group(acc[v], sum[v], irc_avx2_scales(w, index + 8 * v));
            sum[v] = _mm256_setzero_si256();
          }
          of_piece++;
        }
        sums[p][0] = sum[0], sums[p][1] = sum[1];
        accs[p][0] = acc[0], accs[p][1] = acc[1];
      }
      g = of_piece;
    }
    for (size_t p = 0; p < panels; p++) {
      size_t row = o + p * IRC_PANEL_ROWS, left = w->out - row;
      irc_avx2_put(
        y + row, accs[p][0], accs[p][1], x_scale, bias ? bias + row : NULL,
        left < IRC_PANEL_ROWS ? left : IRC_PANEL_ROWS);
    }
  }
}

// Whether the only token can be multiplied while the codes are unpacked; then it is.
IRC_TARGET_AVX2 static bool irc_avx2_only(
  float *IRC_RESTRICT y, const int8_t *x, float x_scale, const irc_avx2_codes *codes,
  const float *bias, void *IRC_RESTRICT scratch) {
  const irc_packed_weights *w = codes->w;
  irc_avx2_group *group = (irc_avx2_group *)scratch;
  const uint8_t *flips = NULL;
  int steps = irc_avx2_steps(codes->most);
  if (w->levels && w->bits < 4) return false;
  if (steps == 0 || (w->levels && steps < 4)) {
    int8_t *flipped = (int8_t *)(group + w->groups);
    bool cut;
    if (irc_avx2_step_up(&cut, x, irc_padded(w->in)) != 0 || cut) return false;
    irc_avx2_flip(
      flipped, (uint8_t *)flipped + irc_padded(w->in), group, codes, x, 0, false);
    flips = (const uint8_t *)flipped + irc_padded(w->in);
    x = flipped;
  } else {
    irc_avx2_sums(group, codes, x);
  }
#define IRC_ONE(bits, is_table, steps, flips)                                                   \
  irc_avx2_one(y, x, x_scale, codes, bias, group, flips, bits, is_table, steps);                \
  return true
  if (w->levels) {
    if (flips) {
      IRC_ONE(4, true, 1, flips);
    }
    IRC_ONE(4, true, 4, NULL);
  }
  switch (w->bits) {
    case 2: if (!IRC_HAS_BITS(2)) break; IRC_ONE(2, false, 40, NULL);
    case 3: if (!IRC_HAS_BITS(3)) break; IRC_ONE(3, false, 16, NULL);
    case 4: if (!IRC_HAS_BITS(4)) break; IRC_ONE(4, false, 8, NULL);
    case 5: if (!IRC_HAS_BITS(5)) break; IRC_ONE(5, false, 4, NULL);
    case 6: if (!IRC_HAS_BITS(6)) break; IRC_ONE(6, false, 2, NULL);
    case 7: if (!IRC_HAS_BITS(7)) break; IRC_ONE(7, false, 1, NULL);
    default: if (!IRC_HAS_BITS(8)) break; IRC_ONE(8, false, 1, flips);
  }
  return false;
#undef IRC_ONE
}

// ---- Many tokens --------------------------------------------------------------------------------

// Some columns of a panel, unpacked: their codes, and what belongs to the groups that they meet.
typedef struct irc_avx2_piece {
  uint8_t *u;            // (steps, 64), or (steps, 4, 64) where u has eight bits
  const uint8_t *after;  // the codes that come next
  size_t bytes;          // of this piece's codes
  size_t segments;
  bool starts;     // the first segment begins a group
  struct {
    size_t group, steps;
    bool ends;
    float scale[16];
    int32_t zero[16];     // of the codes
    int32_t centred[16];  // the sum of u - offset - zero
  } segment[IRC_AVX2_PIECE / 16];
} irc_avx2_piece;

// What is known of some tokens, and of their products with a panel so far.
typedef struct irc_avx2_tokens {
  size_t count;
  const int8_t *x;  // flipped, where u has eight bits
  size_t x_stride;
  const uint8_t *chosen;  // with the same stride by four
  irc_avx2_group *group;  // (count, groups)
  int32_t *shift;         // (count): the zero points of what is multiplied
  int8_t *cut;            // (count): what of 127 or -128 has been cut off, 1 or -1; or 0
  bool shifts, cuts;      // not all are zero
  const int8_t *whole_x;  // (count, whole_stride): before that
  size_t whole_stride;
  int32_t *sum;           // (count, 16)
  float *acc;             // (count, 16)
} irc_avx2_tokens;

// Whole blocks of a panel: (8 * blocks, 64)
IRC_AVX2 void irc_avx2_unpack(
  uint8_t *IRC_RESTRICT to, const uint8_t *IRC_RESTRICT block, size_t blocks, uint32_t bits) {
  const __m256i none = _mm256_setzero_si256();
  for (; blocks > 0; blocks--, block += 64 * (size_t)bits)
    IRC_UNROLL for (int half = 0; half < 2; half++, to += 256)
      IRC_UNROLL for (int v = 0; v < 2; v++) {
        __m256i u[4];
        irc_avx2_half(u, block, bits, false, none, half, v);
        IRC_UNROLL for (int s = 0; s < 4; s++) irc_avx2_store(to + 64 * s + 32 * v, u[s]);
      }
}

// The four versions of codes of eight bits: (steps, 64) -> (steps, 4, 64)
IRC_AVX2 void irc_avx2_spread(uint8_t *to, const uint8_t *from, size_t steps) {
  const __m256i second = _mm256_set1_epi32(0x0000ff00), fourth = _mm256_set1_epi32((int)0xff000000);
  for (; steps > 0; steps--, to += 256, from += 64)
    IRC_UNROLL for (int v = 0; v < 64; v += 32) {
      __m256i u = irc_avx2_load(from + v), inverted = _mm256_xor_si256(u, second);
      irc_avx2_store(to + v, u);
      irc_avx2_store(to + v + 64, inverted);
      irc_avx2_store(to + v + 128, _mm256_xor_si256(u, fourth));
      irc_avx2_store(to + v + 192, _mm256_xor_si256(inverted, fourth));
    }
}

// What belongs to the groups of columns start ..< end of a panel. `so_far` has the sums of u of a
// group that has begun before.
IRC_AVX2 void irc_avx2_segments(
  irc_avx2_piece *piece, int32_t so_far[16], const irc_avx2_codes *codes, size_t o, size_t start,
  size_t end, bool sums) {
  const irc_packed_weights *w = codes->w;
  const size_t step_bytes = codes->most > 127 ? 256 : 64;
  const uint8_t *u = piece->u;
  piece->segments = 0;
  piece->starts = start % w->group == 0;
  for (size_t i = start, stop, g = start / w->group; i < end; i = stop, g++) {
    size_t last = (g + 1) * w->group < w->in ? (g + 1) * w->group : w->in;
    stop = last < end ? last : end;
    const size_t k = piece->segments++, steps = (stop - i + 15) / 16 * 4;
    piece->segment[k].group = g;
    piece->segment[k].steps = steps;
    piece->segment[k].ends = stop == last;
    if (i % w->group == 0) memset(so_far, 0, 16 * sizeof *so_far);
    if (sums) {
      __m256i sum[2] = {irc_avx2_load(so_far), irc_avx2_load(so_far + 8)};
      for (size_t s = 0; s < steps; s++, u += step_bytes)
        IRC_UNROLL for (int v = 0; v < 2; v++)
          sum[v] = irc_avx2_widen(
            sum[v], _mm256_maddubs_epi16(irc_avx2_load(u + 32 * v), _mm256_set1_epi8(1)));
      irc_avx2_store(so_far, sum[0]);
      irc_avx2_store(so_far + 8, sum[1]);
    }
    if (stop < last) continue;
    const size_t index = (o / IRC_PANEL_ROWS * w->groups + g) * IRC_PANEL_ROWS;
    const int32_t length = (int32_t)(last - g * w->group);
    const int32_t behind = ((length + 15) / 16 * 16 - length) * codes->padding;
    IRC_UNROLL for (size_t r = 0; r < 16; r += 8) {
      __m256i zero = w->zeros ? irc_avx2_zeros(w, index + r) : _mm256_setzero_si256();
      __m256i whole = _mm256_mullo_epi32(
        _mm256_add_epi32(zero, _mm256_set1_epi32(codes->offset)), _mm256_set1_epi32(length));
      whole = _mm256_add_epi32(whole, _mm256_set1_epi32(behind));
      _mm256_storeu_ps(piece->segment[k].scale + r, irc_avx2_scales(w, index + r));
      irc_avx2_store(piece->segment[k].zero + r, zero);
      irc_avx2_store(
        piece->segment[k].centred + r, _mm256_sub_epi32(irc_avx2_load(so_far + r), whole));
    }
  }
}

// Columns start ..< end of a panel, `start` a multiple of 32.
IRC_TARGET_AVX2 static void irc_avx2_take(
  irc_avx2_piece *piece, int32_t so_far[16], const irc_avx2_codes *codes, size_t o, size_t start,
  size_t end, bool sums) {
  const irc_packed_weights *w = codes->w;
  const bool is_wide = codes->most > 127;
  const size_t blocks = irc_padded(end - start) / IRC_BLOCK;
  const uint8_t *panel = (const uint8_t *)w->codes + o * w->row_bytes + 2 * start * w->bits;
  // What becomes four versions is unpacked where the last quarter of them goes: each step is read
  // before it is written over.
  uint8_t *plain = is_wide ? piece->u + 3 * 512 * blocks : piece->u;
  switch (w->bits) {
    case 2: if (IRC_HAS_BITS(2)) irc_avx2_unpack(plain, panel, blocks, 2); break;
    case 3: if (IRC_HAS_BITS(3)) irc_avx2_unpack(plain, panel, blocks, 3); break;
    case 4: if (IRC_HAS_BITS(4)) irc_avx2_unpack(plain, panel, blocks, 4); break;
    case 5: if (IRC_HAS_BITS(5)) irc_avx2_unpack(plain, panel, blocks, 5); break;
    case 6: if (IRC_HAS_BITS(6)) irc_avx2_unpack(plain, panel, blocks, 6); break;
    case 7: if (IRC_HAS_BITS(7)) irc_avx2_unpack(plain, panel, blocks, 7); break;
    default: break;
  }
  if (w->levels) {
    const __m256i table = _mm256_broadcastsi128_si256(
      _mm_loadu_si128((const __m128i *)(const void *)codes->table));
    for (size_t i = 0; i < 512 * blocks; i += 32)
      irc_avx2_store(plain + i, _mm256_shuffle_epi8(table, irc_avx2_load(plain + i)));
  }
  piece->bytes = 64 * w->bits * blocks;
  piece->after = panel + piece->bytes;
  if (is_wide) irc_avx2_spread(piece->u, w->bits == 8 ? panel : plain, 8 * blocks);
  irc_avx2_segments(piece, so_far, codes, o, start, end, sums);
}

// Adds the products of eight or four steps, `each` of which fit into sixteen bits.
IRC_AVX2 void irc_avx2_narrow_steps(
  __m256i sum[IRC_AVX2_TILE][2], const uint8_t *u, const int8_t *x, size_t x_stride, int tokens,
  int count, int each) {
  __m256i part[IRC_AVX2_TILE][2];
  IRC_UNROLL for (int s = 0; s < count; s++) {
    __m256i low = irc_avx2_load(u + 64 * s), high = irc_avx2_load(u + 64 * s + 32);
    IRC_UNROLL for (int t = 0; t < tokens; t++) {
      __m256i four = irc_avx2_four(x + (size_t)t * x_stride + 4 * s);
      __m256i a = _mm256_maddubs_epi16(low, four), b = _mm256_maddubs_epi16(high, four);
      part[t][0] = s % each ? _mm256_add_epi16(part[t][0], a) : a;
      part[t][1] = s % each ? _mm256_add_epi16(part[t][1], b) : b;
      if ((s + 1) % each && s + 1 < count) continue;
      sum[t][0] = irc_avx2_widen(sum[t][0], part[t][0]);
      sum[t][1] = irc_avx2_widen(sum[t][1], part[t][1]);
    }
  }
}

// Adds the products of four steps where u has eight bits.
IRC_AVX2 void irc_avx2_wide_steps(
  __m256i sum[IRC_AVX2_TILE][2], const uint8_t *u, const int8_t *x, const uint8_t *chosen,
  size_t x_stride, int tokens) {
  IRC_UNROLL for (int s = 0; s < 4; s++)
    IRC_UNROLL for (int t = 0; t < tokens; t++) {
      const uint8_t *version = u + 8 * (size_t)chosen[(size_t)t * (x_stride / 4) + (size_t)s];
      __m256i four = irc_avx2_four(x + (size_t)t * x_stride + 4 * s);
      sum[t][0] = irc_avx2_widen(
        sum[t][0], _mm256_maddubs_epi16(irc_avx2_load(version + 256 * s), four));
      sum[t][1] = irc_avx2_widen(
        sum[t][1], _mm256_maddubs_epi16(irc_avx2_load(version + 256 * s + 32), four));
    }
}

// Adds the products with what was cut off of a token.
IRC_TARGET_AVX2 static void irc_avx2_add_cut(
  __m256i sum[2], const uint8_t *u, const int8_t *x, size_t steps, int8_t cut) {
  const __m256i beyond = _mm256_set1_epi8(cut > 0 ? 127 : -128), one = _mm256_set1_epi8(cut);
  for (size_t s = 0; s < steps; s++) {
    __m256i hit = _mm256_cmpeq_epi8(irc_avx2_four(x + 4 * s), beyond);
    if (_mm256_testz_si256(hit, hit)) continue;
    hit = _mm256_and_si256(hit, one);
    for (size_t v = 0; v < 2; v++)
      sum[v] = irc_avx2_widen(
        sum[v], _mm256_maddubs_epi16(irc_avx2_load(u + 256 * s + 32 * v), hit));
  }
}

// Some tokens from number t on times a piece. `each`: steps that fit into sixteen bits; 0: u has
// eight.
IRC_AVX2 void irc_avx2_tile(
  const irc_avx2_tokens *tokens, size_t t, const irc_avx2_piece *piece, const irc_avx2_codes *codes,
  size_t start, int count, int each) {
  const irc_packed_weights *w = codes->w;
  const uint8_t *u = piece->u;
  const size_t stride = tokens->x_stride;
  const int8_t *first = tokens->x + t * stride + start, *x = first;
  const uint8_t *chosen = each ? NULL : tokens->chosen + (t * stride + start) / 4;
  for (size_t k = 0; k < piece->segments; k++) {
    __m256i sum[IRC_AVX2_TILE][2];
    const bool is_new = k > 0 || piece->starts;
    IRC_UNROLL for (int j = 0; j < count; j++)
      IRC_UNROLL for (int v = 0; v < 2; v++)
        sum[j][v] = is_new ? _mm256_setzero_si256()
                           : irc_avx2_load(tokens->sum + 16 * (t + (size_t)j) + 8 * v);
    size_t steps = piece->segment[k].steps;
    if (!each && tokens->cuts)
      IRC_UNROLL for (int j = 0; j < count; j++) {
        const size_t at = t + (size_t)j;
        const int8_t *whole = tokens->whole_x + at * tokens->whole_stride + start + (x - first);
        if (tokens->cut[at]) irc_avx2_add_cut(sum[j], u, whole, steps, tokens->cut[at]);
      }
    if (each) {
      for (; steps >= 8; steps -= 8, u += 512, x += 32)
        irc_avx2_narrow_steps(sum, u, x, stride, count, 8, each);
      if (steps) {
        irc_avx2_narrow_steps(sum, u, x, stride, count, 4, each);
        u += 256, x += 16;
      }
    } else {
      for (; steps; steps -= 4, u += 1024, x += 16, chosen += 4)
        irc_avx2_wide_steps(sum, u, x, chosen, stride, count);
    }
    const size_t g = piece->segment[k].group;
    IRC_UNROLL for (int j = 0; j < count; j++) {
      const irc_avx2_group *group = tokens->group + (t + (size_t)j) * w->groups + g;
      IRC_UNROLL for (int v = 0; v < 2; v++) {
        int32_t *sum_at = tokens->sum + 16 * (t + (size_t)j) + 8 * v;
        float *acc_at = tokens->acc + 16 * (t + (size_t)j) + 8 * v;
        if (!piece->segment[k].ends) {
          irc_avx2_store(sum_at, sum[j][v]);
          continue;
        }
        __m256i whole = _mm256_add_epi32(sum[j][v], _mm256_set1_epi32(group->added));
        if (w->zeros)
          whole = _mm256_sub_epi32(
            whole, _mm256_mullo_epi32(
                     irc_avx2_load(piece->segment[k].zero + 8 * v), _mm256_set1_epi32(group->sum)));
        if (tokens->shifts)
          whole = _mm256_sub_epi32(
            whole, _mm256_mullo_epi32(
                     irc_avx2_load(piece->segment[k].centred + 8 * v),
                     _mm256_set1_epi32(tokens->shift[t + (size_t)j])));
        _mm256_storeu_ps(
          acc_at, irc_avx2_add_group(
                    _mm256_loadu_ps(acc_at), whole,
                    _mm256_loadu_ps(piece->segment[k].scale + 8 * v)));
      }
    }
  }
}

// Asks for a share of the codes that come next, so that they come while this piece is multiplied.
IRC_AVX2 void irc_avx2_ask(const irc_avx2_piece *piece, size_t t, size_t tile, size_t count) {
  const size_t lines = piece->bytes / 64, last = lines * (t + tile) / count;
  for (size_t k = lines * t / count; k < last; k++)
    _mm_prefetch((const char *)piece->after + 64 * k, _MM_HINT_T0);
}

#define IRC_TILES(tile, each)                                                                  \
  do {                                                                                         \
    size_t t = 0;                                                                              \
    for (; t + tile <= tokens->count; t += tile) {                                             \
      irc_avx2_ask(piece, t, tile, tokens->count);                                             \
      irc_avx2_tile(tokens, t, piece, codes, start, tile, each);                               \
    }                                                                                          \
    for (; t < tokens->count; t++) irc_avx2_tile(tokens, t, piece, codes, start, 1, each);     \
  } while (0)

// All tokens times a piece.
IRC_TARGET_AVX2 static void irc_avx2_multiply(
  const irc_avx2_tokens *tokens, const irc_avx2_piece *piece, const irc_avx2_codes *codes,
  size_t start) {
  int steps = codes->most > 127 ? 0 : irc_avx2_steps(codes->most);
  if (steps >= 8)
    IRC_TILES(2, 8);  // more need more registers than there are
  else if (steps >= 4)
    IRC_TILES(4, 4);
  else if (steps >= 2)
    IRC_TILES(4, 2);
  else if (steps == 1)
    IRC_TILES(4, 1);
  else
    IRC_TILES(4, 0);
}
#undef IRC_TILES

IRC_TARGET_AVX2 static void irc_avx2_many(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_avx2_codes *codes,
  const float *bias, size_t count, void *IRC_RESTRICT scratch) {
  const irc_packed_weights *w = codes->w;
  const bool is_wide = codes->most > 127;
  const size_t padded = irc_padded(w->in);
  const size_t longest = padded < IRC_AVX2_PIECE ? padded : IRC_AVX2_PIECE;
  // Rows of tokens that begin at different places of the cache.
  const size_t stride = padded + 64;
  uint8_t *next = (uint8_t *)scratch + (64 - (uintptr_t)scratch % 64);
  irc_avx2_piece piece = {.u = next};
  next += (is_wide ? 64 : 16) * longest;
  const size_t each = 32 * sizeof(float) + sizeof(int32_t) + 1 + w->groups * sizeof(irc_avx2_group)
    + (is_wide ? stride + stride / 4 : 0);
  const size_t room = (size_t)((uint8_t *)scratch + irc_linear_scratch_bytes(w->in) - next) / each;
  const size_t most = room < IRC_AVX2_TOKENS ? room : IRC_AVX2_TOKENS;
  irc_avx2_tokens tokens = {.sum = (int32_t *)(void *)next};
  tokens.acc = (float *)(void *)(tokens.sum + 16 * most);
  tokens.shift = (int32_t *)(void *)(tokens.acc + 16 * most);
  tokens.group = (irc_avx2_group *)(void *)(tokens.shift + most);
  int8_t *flipped = (int8_t *)(tokens.group + most * w->groups);
  uint8_t *chosen = (uint8_t *)flipped + (is_wide ? stride * most : 0);
  tokens.cut = (int8_t *)chosen + (is_wide ? stride / 4 * most : 0);
  tokens.chosen = chosen;
  // Rows whose panels stay near while all tokens pass; all, if the tokens pass together.
  const size_t bytes = IRC_PANEL_ROWS * w->row_bytes;
  size_t rows = (IRC_AVX2_RESIDENT / bytes + 1) * IRC_PANEL_ROWS;
  if (count <= most) rows = w->out;
  for (size_t first = 0; first < w->out; first += rows) {
    const size_t last = w->out - first < rows ? w->out : first + rows;
    for (size_t t = 0; t < count; t += tokens.count) {
      tokens.count = count - t < most ? count - t : most;
      tokens.shifts = tokens.cuts = false;
      tokens.whole_x = x + t * x_stride;
      tokens.whole_stride = x_stride;
      tokens.x = is_wide ? flipped : tokens.whole_x;
      tokens.x_stride = is_wide ? stride : x_stride;
      for (size_t j = 0; j < tokens.count; j++) {
        const int8_t *row = tokens.whole_x + j * x_stride;
        irc_avx2_group *group = tokens.group + j * w->groups;
        tokens.shift[j] = x_zero ? x_zero[(t + j) * x_scale_stride] : 0;
        if (is_wide) {
          bool cut;
          int32_t up = irc_avx2_step_up(&cut, row, padded);
          irc_avx2_flip(
            flipped + j * stride, chosen + j * (stride / 4), group, codes, row, up, true);
          tokens.cut[j] = cut ? (up ? 1 : -1) : 0;
          tokens.cuts |= cut;
          tokens.shift[j] += up;
        } else {
          irc_avx2_sums(group, codes, row);
        }
        tokens.shifts |= tokens.shift[j] != 0;
      }
      for (size_t o = first; o < last; o += IRC_PANEL_ROWS) {
        int32_t so_far[16];
        memset(tokens.acc, 0, tokens.count * 16 * sizeof(float));
        for (size_t start = 0; start < w->in; start += longest) {
          const size_t end = w->in - start < longest ? w->in : start + longest;
          irc_avx2_take(&piece, so_far, codes, o, start, end, tokens.shifts);
          irc_avx2_multiply(&tokens, &piece, codes, start);
        }
        for (size_t j = 0; j < tokens.count; j++)
          irc_avx2_put(
            y + (t + j) * y_stride + o, _mm256_loadu_ps(tokens.acc + 16 * j),
            _mm256_loadu_ps(tokens.acc + 16 * j + 8), x_scale[(t + j) * x_scale_stride],
            bias ? bias + o : NULL, w->out - o < IRC_PANEL_ROWS ? w->out - o : IRC_PANEL_ROWS);
      }
    }
  }
}

void IRC_NAME(linear_q_i8_avx2)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  const size_t longest = w->group < w->in ? w->group : w->in;
  if (w->layout != IRC_LAYOUT_PANELS || longest > IRC_AVX2_LONGEST || (w->levels && w->bits > 4)) {
    IRC_NAME(linear_q_i8)(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch);
    return;
  }
  irc_avx2_codes codes = {.w = w, .offset = 1 << (w->bits - 1), .most = (1 << w->bits) - 1};
  codes.padding = codes.offset;
  if (w->levels) {
    int8_t low = 127, high = -128;
    for (size_t k = 0; k < (size_t)1 << w->bits; k++) {
      low = w->levels[k] < low ? w->levels[k] : low;
      high = w->levels[k] > high ? w->levels[k] : high;
    }
    for (size_t k = 0; k < (size_t)1 << w->bits; k++)
      codes.table[k] = (uint8_t)(w->levels[k] - low);
    codes.offset = -low;
    codes.most = high - low;
    codes.padding = codes.table[0];
  }
  bool has_zero = x_zero && *x_zero != 0;
  if (tokens == 1 && !has_zero && irc_avx2_only(y, x, *x_scale, &codes, bias, scratch)) return;
  irc_avx2_many(
    y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, &codes, bias, tokens, scratch);
}

IRC_DEFINE_INTEGER_UP(avx2, IRC_TARGET_AVX2, add_branch_avx2)

#endif
