// The integer product for AVX-512 with VNNI, of weights in panels: sixteen rows in the lanes of a vector,
// four columns of each in its bytes, multiplied by a broadcast word of activations.
#include "kernels_avx512_integer.h"
#include "kernels_sets.h"

#if IRC_X86

// ---- Few tokens: codes are unpacked in registers ------------------------------------------------

// Multiplies half h of a block of each panel with the tokens; where there are zero points of activations,
// `ones` is one token more, whose products are `total`.
IRC_AVX512 void irc_direct_half(
  __m512i acc[4][4], __m512i total[4], const uint8_t *block, size_t stride, const int8_t *x,
  size_t x_stride, const int8_t *ones, const __m512i *table, uint32_t bits, uint32_t h,
  size_t panels, size_t tokens) {
  IRC_UNROLL for (size_t p = 0; p < panels; p++) {
    __m512i step[4];
    irc_half_of_block(step, block + p * stride, bits, h);
    if (table)
      IRC_UNROLL for (int s = 0; s < 4; s++) step[s] = _mm512_shuffle_epi8(*table, step[s]);
    IRC_UNROLL for (int s = 0; s < 4; s++)
      IRC_UNROLL for (size_t t = 0; t < tokens; t++)
        acc[p][t] = _mm512_dpbusd_epi32(acc[p][t], step[s], irc_word_of(x + t * x_stride + 4 * s));
    if (ones)
      IRC_UNROLL for (int s = 0; s < 4; s++)
        total[p] = _mm512_dpbusd_epi32(total[p], step[s], irc_word_of(ones + 4 * s));
  }
}

// Panels from row o on, tokens from `first` on. `sums`: minus the sums of groups, (tokens, groups).
IRC_AVX512 void irc_direct(
  const irc_product *q, size_t o, size_t first, const int32_t *sums, const int8_t *ones,
  uint32_t bits, size_t panels, size_t tokens) {
  const irc_packed_weights *w = q->w;
  const size_t stride = IRC_PANEL_ROWS * w->row_bytes, groups = w->groups;
  const uint8_t *block = (const uint8_t *)w->codes + o * w->row_bytes;
  const int8_t *x = q->x + first * q->x_stride;
  const int32_t offset = w->levels ? 128 : 1 << (bits - 1);
  __m512i table = _mm512_setzero_si512();
  if (w->levels) table = irc_level_table(w, 128);
  __m512 result[4][4];
  IRC_UNROLL for (size_t p = 0; p < panels; p++)
    IRC_UNROLL for (size_t t = 0; t < tokens; t++) result[p][t] = _mm512_setzero_ps();
  size_t i = 0;
  for (size_t g = 0; g < groups; g++) {
    __m512i acc[4][4], total[4];
    IRC_UNROLL for (size_t p = 0; p < panels; p++) {
      total[p] = _mm512_setzero_si512();
      __m512i offsets = _mm512_set1_epi32(offset);
      if (w->zeros)
        offsets = _mm512_add_epi32(
          offsets, irc_zeros_at(w, (o / IRC_PANEL_ROWS + p) * groups * IRC_PANEL_ROWS + g * IRC_PANEL_ROWS));
      IRC_UNROLL for (size_t t = 0; t < tokens; t++)
        acc[p][t] = _mm512_mullo_epi32(offsets, _mm512_set1_epi32(sums[t * groups + g]));
    }
    for (size_t end = irc_group_end(w, g); i < end; i += 16) {
      const int8_t *row = ones ? ones + i : NULL;
      const __m512i *levels = w->levels ? &table : NULL;
      if (i % IRC_BLOCK == 0) {
        IRC_UNROLL for (size_t p = 0; p < panels; p++)
          IRC_UNROLL for (size_t k = 0; k < bits; k++)
            _mm_prefetch((const char *)(block + p * stride + 64 * k + IRC_AHEAD), _MM_HINT_T0);
        irc_direct_half(
          acc, total, block, stride, x + i, q->x_stride, row, levels, bits, 0, panels, tokens);
      } else {
        irc_direct_half(
          acc, total, block, stride, x + i, q->x_stride, row, levels, bits, 1, panels, tokens);
        block += 64 * bits;
      }
    }
    IRC_UNROLL for (size_t p = 0; p < panels; p++) {
      __m512 scales = irc_scales_at(w, ((o / IRC_PANEL_ROWS + p) * groups + g) * IRC_PANEL_ROWS);
      IRC_UNROLL for (size_t t = 0; t < tokens; t++) {
        __m512i sum = acc[p][t];
        if (ones)
          sum = _mm512_sub_epi32(
            sum, _mm512_mullo_epi32(
                   total[p], _mm512_set1_epi32(q->x_zero[(first + t) * q->x_scale_stride])));
        result[p][t] = _mm512_add_ps(
          result[p][t], _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales));
      }
    }
  }
  IRC_UNROLL for (size_t p = 0; p < panels; p++)
    if (o + p * IRC_PANEL_ROWS < w->out)
      IRC_UNROLL for (size_t t = 0; t < tokens; t++)
        irc_store_rows(q, o + p * IRC_PANEL_ROWS, first + t, result[p][t]);
}

// Up to so many tokens are multiplied by codes in registers, four at a time.
enum { IRC_DIRECT_TOKENS = 4, IRC_DIRECT_MOST = 8 };

// All rows and tokens, for one number of bits.
IRC_AVX512 void irc_direct_product(
  const irc_product *q, const int32_t *sums, const int8_t *ones, uint32_t bits) {
  size_t groups = q->w->groups, panels = irc_stored_rows(q->w->out, IRC_LAYOUT_PANELS) / 16;
  // Four panels are four streams from memory; with more tokens their sums would not fit in registers.
  const size_t most = q->tokens <= 2 ? 4 : 2;
  for (size_t p = 0, count; p < panels; p += count) {
    count = panels - p >= most ? most : 1;
    for (size_t t = 0, tokens; t < q->tokens; t += tokens) {
      const int32_t *from = sums + t * groups;
      tokens = irc_min(q->tokens - t, IRC_DIRECT_TOKENS);
      if (count == 1) {
        tokens = 1;
        irc_direct(q, 16 * p, t, from, ones, bits, 1, 1);
      } else if (count == 4) {
        if (tokens == 1)
          irc_direct(q, 16 * p, t, from, ones, bits, 4, 1);
        else
          irc_direct(q, 16 * p, t, from, ones, bits, 4, 2);
      } else {
        switch (tokens) {
          case 1: irc_direct(q, 16 * p, t, from, ones, bits, 2, 1); break;
          case 2: irc_direct(q, 16 * p, t, from, ones, bits, 2, 2); break;
          case 3: irc_direct(q, 16 * p, t, from, ones, bits, 2, 3); break;
          default: irc_direct(q, 16 * p, t, from, ones, bits, 2, 4); break;
        }
      }
    }
  }
}

// One function for each number of bits, so that none of them is too large for the compiler.
#define IRC_DIRECT(bits)                                                                       \
  IRC_TARGET_AVX512_VNNI static void irc_direct_##bits(                                        \
    const irc_product *q, const int32_t *sums, const int8_t *ones) {                           \
    irc_direct_product(q, sums, ones, bits);                                                   \
  }
IRC_DIRECT(2)
IRC_DIRECT(3)
IRC_DIRECT(4)
IRC_DIRECT(5)
IRC_DIRECT(6)
IRC_DIRECT(7)
IRC_DIRECT(8)

IRC_TARGET_AVX512_VNNI static void irc_multiply_few(const irc_product *q, void *scratch) {
  const irc_packed_weights *w = q->w;
  int32_t *sums = (int32_t *)irc_line_of(scratch, 0);
  irc_sums_of_groups(sums, q, 0, q->tokens, 1, 0);
  int8_t *ones = NULL;
  if (q->x_zero) {
    ones = (int8_t *)(sums + q->tokens * w->groups);
    memset(ones, 1, w->in);
    memset(ones + w->in, 0, irc_padded(w->in) - w->in);
  }
  switch (w->bits) {
    case 2: if (IRC_HAS_BITS(2)) irc_direct_2(q, sums, ones); break;
    case 3: if (IRC_HAS_BITS(3)) irc_direct_3(q, sums, ones); break;
    case 4: if (IRC_HAS_BITS(4)) irc_direct_4(q, sums, ones); break;
    case 5: if (IRC_HAS_BITS(5)) irc_direct_5(q, sums, ones); break;
    case 6: if (IRC_HAS_BITS(6)) irc_direct_6(q, sums, ones); break;
    case 7: if (IRC_HAS_BITS(7)) irc_direct_7(q, sums, ones); break;
    default: if (IRC_HAS_BITS(8)) irc_direct_8(q, sums, ones); break;
  }
}

// ---- Many tokens: tiles of rows and tokens ------------------------------------------------------

// Panels `from` ..< from + panels of the ready ones with tokens from `first` on. `sums`: minus 128 times
// the sums of groups, plus the bits of the rounder if `joins`: (tokens, groups).
IRC_AVX512 void irc_tile(
  const irc_product *q, const irc_ready_panels *ready, size_t from, size_t first,
  const int32_t *sums, bool joins, irc_fetching *next, size_t panels, size_t tokens) {
  const irc_packed_weights *w = q->w;
  irc_fetching fetching = *next;
  const size_t groups = w->groups, stride = ready->stride, x_stride = q->x_stride;
  const uint8_t *u = ready->codes + from * stride;
  const int8_t *x = q->x + first * x_stride;
  const bool fused = joins && ready->joins && !ready->offsets;
  const __m512 rounder = _mm512_set1_ps(-IRC_ROUNDER);
  __m512 result[4][8];
  IRC_UNROLL for (size_t p = 0; p < panels; p++)
    IRC_UNROLL for (size_t t = 0; t < tokens; t++) result[p][t] = _mm512_setzero_ps();
  size_t i = 0;
  for (size_t g = 0; g < groups; g++) {
    const size_t at = (g * ready->count + from) * IRC_PANEL_ROWS;
    __m512i acc[4][8];
    IRC_UNROLL for (size_t t = 0; t < tokens; t++) {
      __m512i start = _mm512_set1_epi32(sums[t * groups + g]);
      if (joins && !fused) start = _mm512_sub_epi32(start, _mm512_set1_epi32(irc_bits_of_rounder()));
      IRC_UNROLL for (size_t p = 0; p < panels; p++) acc[p][t] = start;
      if (ready->offsets) {
        start = _mm512_srai_epi32(start, 7);
        IRC_UNROLL for (size_t p = 0; p < panels; p++)
          acc[p][t] = _mm512_mullo_epi32(
            start, _mm512_loadu_si512(ready->offsets + at + p * IRC_PANEL_ROWS));
      }
      if (ready->totals) {
        __m512i zero = _mm512_set1_epi32(q->x_zero[(first + t) * q->x_scale_stride]);
        IRC_UNROLL for (size_t p = 0; p < panels; p++)
          acc[p][t] = _mm512_sub_epi32(
            acc[p][t], _mm512_mullo_epi32(
                         zero, _mm512_loadu_si512(ready->totals + at + p * IRC_PANEL_ROWS)));
      }
    }
    for (size_t end = irc_group_end(w, g); i < end;) {
      irc_fetch(&fetching);
      for (size_t stop = irc_min(end, i + IRC_BLOCK); i < stop; i += 4, u += 64) {
        __m512i step[4];
        IRC_UNROLL for (size_t p = 0; p < panels; p++) step[p] = _mm512_loadu_si512(u + p * stride);
        IRC_UNROLL for (size_t t = 0; t < tokens; t++) {
          __m512i word = irc_word_of(x + t * x_stride + i);
          IRC_UNROLL for (size_t p = 0; p < panels; p++)
            acc[p][t] = _mm512_dpbusd_epi32(acc[p][t], step[p], word);
        }
      }
    }
    IRC_UNROLL for (size_t p = 0; p < panels; p++) {
      __m512 scales = _mm512_loadu_ps(ready->scales + at + p * IRC_PANEL_ROWS);
      if (fused) {
        __m512 excess = _mm512_mul_ps(scales, rounder);
        IRC_UNROLL for (size_t t = 0; t < tokens; t++)
          result[p][t] = _mm512_add_ps(
            result[p][t], _mm512_fmadd_ps(_mm512_castsi512_ps(acc[p][t]), scales, excess));
      } else {
        IRC_UNROLL for (size_t t = 0; t < tokens; t++)
          result[p][t] = _mm512_add_ps(
            result[p][t], _mm512_mul_ps(_mm512_cvtepi32_ps(acc[p][t]), scales));
      }
    }
  }
  *next = fetching;
  IRC_UNROLL for (size_t p = 0; p < panels; p++)
    IRC_UNROLL for (size_t t = 0; t < tokens; t++)
      irc_store_rows(
        q, (ready->first + from + p) * IRC_PANEL_ROWS, first + t, result[p][t]);
}

#define IRC_TILE(panels, tokens)                                                               \
  IRC_TARGET_AVX512_VNNI static __attribute__((noinline)) void irc_tile_##panels##x##tokens(   \
    const irc_product *q, const irc_ready_panels *ready, size_t from, size_t first,            \
    const int32_t *sums, bool joins, irc_fetching *next) {                                     \
    irc_tile(q, ready, from, first, sums, joins, next, panels, tokens);                        \
  }
IRC_TILE(1, 1)
IRC_TILE(1, 2)
IRC_TILE(1, 3)
IRC_TILE(1, 4)
IRC_TILE(1, 5)
IRC_TILE(1, 6)
IRC_TILE(4, 1)
IRC_TILE(4, 2)
IRC_TILE(4, 3)
IRC_TILE(4, 4)
IRC_TILE(4, 5)
IRC_TILE(4, 6)

enum { IRC_TILE_TOKENS = 6 };

typedef void (*irc_tile_function)(
  const irc_product *q, const irc_ready_panels *ready, size_t from, size_t first,
  const int32_t *sums, bool joins, irc_fetching *next);

IRC_TARGET_AVX512_VNNI static void irc_multiply_many(const irc_product *q, void *scratch) {
  static const irc_tile_function ones[] = {irc_tile_1x1, irc_tile_1x2, irc_tile_1x3,
                                           irc_tile_1x4, irc_tile_1x5, irc_tile_1x6};
  static const irc_tile_function fours[] = {irc_tile_4x1, irc_tile_4x2, irc_tile_4x3,
                                            irc_tile_4x4, irc_tile_4x5, irc_tile_4x6};
  const irc_packed_weights *w = q->w;
  irc_room room = irc_room_of(q, scratch);
  size_t panels = irc_stored_rows(w->out, IRC_LAYOUT_PANELS) / IRC_PANEL_ROWS, count, tokens;
  // A sum is at most 2^22 then.
  bool joins = irc_min(w->group, w->in) <= (q->x_zero ? 128 : 256);
  for (size_t first = 0; first < q->tokens; first += tokens) {
    tokens = irc_min(q->tokens - first, room.tokens);
    irc_sums_of_groups(room.sums, q, first, tokens, 128, joins ? irc_bits_of_rounder() : 0);
    for (size_t p = 0; p < panels; p += count) {
      count = irc_min(panels - p, IRC_TILE_PANELS);
      irc_ready_panels ready = irc_make_ready(q, &room, p, count, 128);
      // Tokens are shared out evenly, so that no tile is too small to hide the latency of its sums.
      size_t tiles = (tokens + IRC_TILE_TOKENS - 1) / IRC_TILE_TOKENS;
      irc_fetching next = irc_fetching_of(
        w, p + count, IRC_TILE_PANELS, tiles * irc_padded(w->in) / IRC_BLOCK);
      for (size_t t = 0, width; t < tokens; t += width, tiles--) {
        width = (tokens - t + tiles - 1) / tiles;
        const int32_t *sums = room.sums + t * w->groups;
        if (count == IRC_TILE_PANELS)
          fours[width - 1](q, &ready, 0, first + t, sums, joins, &next);
        else
          for (size_t k = 0; k < count; k++)
            ones[width - 1](q, &ready, k, first + t, sums, joins, &next);
      }
    }
  }
}

// ---- The kernels --------------------------------------------------------------------------------

void IRC_NAME(linear_q_i8_avx512)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  const int32_t *zeros = irc_zeros_that_count(x_zero, x_scale_stride, tokens);
  if (!irc_takes_panels(w, zeros != NULL)) {
    IRC_NAME(linear_q_i8)(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch);
    return;
  }
  irc_product q = {y, y_stride, x, x_stride, x_scale, zeros, x_scale_stride, w, bias, tokens};
  if (tokens <= IRC_DIRECT_MOST)
    irc_multiply_few(&q, scratch);
  else
    irc_multiply_many(&q, scratch);
}

IRC_DEFINE_INTEGER_UP(avx512, IRC_TARGET_AVX512_VNNI, add_branch_avx512)

#endif
