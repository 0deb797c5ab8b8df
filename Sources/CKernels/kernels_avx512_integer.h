// What the integer products of AVX-512 and AMX share: weights in panels as vectors of sixteen rows.
// Static like kernels_common.h. Stored codes are unsigned bytes u here, activations signed bytes x:
//   the sum of (value - zero) * (x - x_zero) over a group
//     = dot(u, x) - x_zero * dot(u, ones) - offset * the sum of (x - x_zero),   u = value - zero + offset,
// all of it modulo 2^32, which is exact, as the sum itself fits.
#ifndef IRC_KERNELS_AVX512_INTEGER_H
#define IRC_KERNELS_AVX512_INTEGER_H

#include "kernels_packed.h"
#include "kernels_targets.h"

#if IRC_X86

#include <immintrin.h>

// Both compilers unroll such loops over registers whole.
#define IRC_UNROLL _Pragma("GCC unroll 8")

#define IRC_AVX512 IRC_TARGET_AVX512_VNNI IRC_INLINE

// The arguments of linear_q_i8.
typedef struct irc_product {
  float *y;
  size_t y_stride;
  const int8_t *x;
  size_t x_stride;
  const float *x_scale;
  const int32_t *x_zero;  // NULL also where all of them are zero
  size_t x_scale_stride;
  const irc_packed_weights *w;
  const float *bias;
  size_t tokens;
} irc_product;

IRC_INLINE const int32_t *irc_zeros_that_count(
  const int32_t *x_zero, size_t x_scale_stride, size_t tokens) {
  if (x_zero)
    for (size_t t = 0; t < tokens; t++)
      if (x_zero[t * x_scale_stride] != 0) return x_zero;
  return NULL;
}

// Whether the kernels of panels may take a product: groups end where quarters of a block's bytes do, and
// no sum leaves 32 bits (a weight is at most 255, and so is an activation less its zero point).
IRC_INLINE bool irc_takes_panels(const irc_packed_weights *w, bool has_x_zero) {
  size_t length = w->group < w->in ? w->group : w->in;
  return w->layout == IRC_LAYOUT_PANELS && w->kind == IRC_CODES_SCALED
    && (w->groups == 1 || w->group % 16 == 0) && length <= (has_x_zero ? 32768 : 65536)
    && (w->levels ? w->bits <= 4 : !w->values);
}

IRC_INLINE size_t irc_min(size_t a, size_t b) { return a < b ? a : b; }
IRC_INLINE size_t irc_max(size_t a, size_t b) { return a > b ? a : b; }

// Where group g ends, in columns; the last one takes the padding with it, whose activations are zero.
IRC_INLINE size_t irc_group_end(const irc_packed_weights *w, size_t g) {
  return g + 1 < w->groups ? (g + 1) * w->group : irc_padded(w->in);
}

// The part of `scratch` from byte `used` on, at the start of a line of cache.
IRC_INLINE void *irc_line_of(void *scratch, size_t used) {
  return (void *)(((uintptr_t)scratch + used + 63) / 64 * 64);
}

// Bytes of each panel that are fetched ahead: what comes from memory takes longer than the processor sees
// coming, since its own prefetchers stop at each page.
enum { IRC_AHEAD = 4096 };

// Codes that are fetched from memory while others are multiplied: so many lines with each step.
typedef struct irc_fetching {
  const uint8_t *at, *end;
  size_t lines;
} irc_fetching;

// Those of `count` panels from panel `first` on, if there are as many, in so many steps.
IRC_INLINE irc_fetching irc_fetching_of(
  const irc_packed_weights *w, size_t first, size_t count, size_t steps) {
  const size_t panels = irc_stored_rows(w->out, IRC_LAYOUT_PANELS) / IRC_PANEL_ROWS;
  const size_t bytes = IRC_PANEL_ROWS * w->row_bytes;
  count = irc_min(count, panels - first);
  const uint8_t *codes = (const uint8_t *)w->codes + first * bytes;
  return (irc_fetching){codes, codes + count * bytes, (count * bytes / 64 + steps - 1) / steps};
}

IRC_AVX512 void irc_fetch(irc_fetching *f) {
  for (size_t k = 0; k < f->lines && f->at < f->end; k++, f->at += 64)
    _mm_prefetch((const char *)f->at, _MM_HINT_T1);
}

// ---- Vectors ------------------------------------------------------------------------------------

// v << by in each 16 bits, by < 0 to the right: bits that come from a neighbour are for the caller to mask.
IRC_AVX512 __m512i irc_shifted(__m512i v, int by) {
  typedef uint16_t irc_halves __attribute__((vector_size(64)));
  return by >= 0 ? (__m512i)((irc_halves)v << by) : (__m512i)((irc_halves)v >> -by);
}

IRC_AVX512 __m512i irc_word_of(const int8_t *x) {
  int32_t word;
  memcpy(&word, x, 4);
  return _mm512_set1_epi32(word);
}

// Four steps, which are 16 columns, of a block of a panel: half h of it. Bytes are the codes as stored.
IRC_AVX512 void irc_half_of_block(
  __m512i step[4], const uint8_t *block, uint32_t bits, uint32_t h) {
  if (bits == 8) {
    IRC_UNROLL for (int s = 0; s < 4; s++) step[s] = _mm512_loadu_si512(block + 256 * h + 64 * s);
    return;
  }
  const uint8_t *pairs = block + (bits & 4 ? 256 : 0), *singles = pairs + (bits & 2 ? 128 : 0);
  __m512i plane;
  if (bits & 4) {
    const __m512i mask = _mm512_set1_epi8(15);
    plane = _mm512_loadu_si512(block + 128 * h);
    step[0] = _mm512_and_si512(plane, mask);
    step[1] = _mm512_and_si512(irc_shifted(plane, -4), mask);
    plane = _mm512_loadu_si512(block + 128 * h + 64);
    step[2] = _mm512_and_si512(plane, mask);
    step[3] = _mm512_and_si512(irc_shifted(plane, -4), mask);
  }
  if (bits & 2) {
    const int to = bits & 4;
    const __m512i mask = _mm512_set1_epi8((char)(3 << to));
    plane = _mm512_loadu_si512(pairs + 64 * h);
    IRC_UNROLL for (int s = 0; s < 4; s++) {
      __m512i part = irc_shifted(plane, to - 2 * s);
      // 0xf8: a | (b & c)
      step[s] = bits & 4 ? _mm512_ternarylogic_epi32(step[s], part, mask, 0xf8)
                         : _mm512_and_si512(part, mask);
    }
  }
  if (bits & 1) {
    const int to = (int)bits - 1;
    const __m512i mask = _mm512_set1_epi8((char)(1 << to));
    plane = _mm512_loadu_si512(singles);
    IRC_UNROLL for (int s = 0; s < 4; s++)
      step[s] = _mm512_ternarylogic_epi32(
        step[s], irc_shifted(plane, to - 4 * (int)h - s), mask, 0xf8);
  }
}

// Levels of codes of up to four bits, plus `offset`, for a byte shuffle.
IRC_AVX512 __m512i irc_level_table(const irc_packed_weights *w, int offset) {
  uint8_t table[16] = {0};
  size_t count = w->bits < 4 ? (size_t)1 << w->bits : sizeof table;
  for (size_t c = 0; c < count; c++) table[c] = (uint8_t)(w->levels[c] + offset);
  return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table));
}

// Scales number index ..< index + 16, with what the whole matrix is multiplied by.
IRC_AVX512 __m512 irc_scales_at(const irc_packed_weights *w, size_t index) {
  const uint8_t *bytes = (const uint8_t *)w->scales;
  __m512 scales;
  switch (w->scale_type) {
    case IRC_SCALE_F16:
      scales = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(bytes + 2 * index)));
      break;
    case IRC_SCALE_E8M0: {
      __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(bytes + index)));
      __m512i value = _mm512_max_epu32(_mm512_slli_epi32(code, 23), _mm512_set1_epi32(0x00400000));
      __mmask16 none = _mm512_cmpeq_epi32_mask(code, _mm512_set1_epi32(255));
      scales = _mm512_castsi512_ps(
        _mm512_mask_mov_epi32(value, none, _mm512_set1_epi32(0x7fc00000)));
      break;
    }
    case IRC_SCALE_E4M3: {
      __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(bytes + index)));
      __m512i rest = _mm512_and_si512(code, _mm512_set1_epi32(0x7f));
      __m512 value = _mm512_mul_ps(
        _mm512_castsi512_ps(_mm512_slli_epi32(rest, 20)), _mm512_set1_ps(0x1p120f));
      __mmask16 none = _mm512_cmpeq_epi32_mask(rest, _mm512_set1_epi32(0x7f));
      value = _mm512_mask_mov_ps(
        value, none, _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000)));
      scales = _mm512_mul_ps(value, _mm512_set1_ps(*w->tensor_scale));
      break;
    }
    default:
      scales = _mm512_loadu_ps(bytes + 4 * index);
      break;
  }
  return w->levels ? _mm512_mul_ps(scales, _mm512_set1_ps(w->level_step)) : scales;
}

IRC_AVX512 __m512i irc_zeros_at(const irc_packed_weights *w, size_t index) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(w->zeros + index)));
}

// ---- Sums of activations ------------------------------------------------------------------------

// The sums of 16 runs of 16 columns: at most `left` columns are read, the others are zero.
IRC_AVX512 __m512i irc_sums_of_runs(const int8_t *x, size_t left) {
  const __m512i ones = _mm512_set1_epi8(1);
  // Four sums of four columns in each quarter of a vector are four sums of sixteen columns, transposed.
  __m512i sums[4];
  IRC_UNROLL for (size_t k = 0; k < 4; k++) {
    size_t bytes = left > 64 * k ? left - 64 * k : 0;
    __mmask64 mask = bytes >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << bytes) - 1;
    sums[k] = _mm512_dpbusd_epi32(
      _mm512_setzero_si512(), ones, _mm512_maskz_loadu_epi8(mask, x + 64 * k));
  }
  __m512i a = _mm512_add_epi32(
    _mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
  __m512i b = _mm512_add_epi32(
    _mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
  __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, c);
}

// Minus the sums of x - x_zero of each group, times `factor`, plus `start`:
// (tokens from `first` on, in) -> (tokens, groups)
IRC_AVX512 void irc_sums_of_groups(
  int32_t *sums, const irc_product *q, size_t first, size_t tokens, int32_t factor, int32_t start) {
  const irc_packed_weights *w = q->w;
  enum { RUN = 16, RUNS = 16 };
  const size_t padded = irc_padded(w->in);
  for (size_t t = first; t < first + tokens; t++) {
    const int8_t *x = q->x + t * q->x_stride;
    const int32_t zero = q->x_zero ? q->x_zero[t * q->x_scale_stride] : 0;
    size_t g = 0, end = irc_group_end(w, 0), begin = 0;
    int32_t sum = 0;
    for (size_t i = 0; i < padded; i += RUN * RUNS) {
      int32_t runs[RUNS];
      size_t left = padded - i;
      _mm512_storeu_si512(runs, irc_sums_of_runs(x + i, left));
      for (size_t k = 0; k < RUNS && k * RUN < left; k++) {
        sum += runs[k];
        if (i + (k + 1) * RUN < end) continue;
        int32_t length = (int32_t)(irc_min(end, w->in) - begin);
        *sums++ = start - (sum - zero * length) * factor;
        sum = 0, begin = end, g++;
        end = irc_group_end(w, g);
      }
    }
  }
}

// ---- Results ------------------------------------------------------------------------------------

// total * x_scale (+ bias) of rows o ..< o + 16 of token t.
IRC_AVX512 void irc_store_rows(const irc_product *q, size_t o, size_t t, __m512 total) {
  size_t rows = q->w->out - o;
  __mmask16 mask = rows < 16 ? (__mmask16)((1u << rows) - 1) : (__mmask16)0xffff;
  __m512 value = _mm512_mul_ps(total, _mm512_set1_ps(q->x_scale[t * q->x_scale_stride]));
  if (q->bias) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, q->bias + o));
  _mm512_mask_storeu_ps(q->y + t * q->y_stride + o, mask, value);
}

// ---- Panels of bytes ----------------------------------------------------------------------------

enum { IRC_TILE_PANELS = 4 };

// Some neighbouring panels, ready to be multiplied with many tokens.
typedef struct irc_ready_panels {
  const uint8_t *codes;    // steps of 64 bytes
  size_t stride;           // bytes from one panel to the next
  const float *scales;     // (groups, count, 16)
  const int32_t *offsets;  // (groups, count, 16), or NULL: all alike
  const int32_t *totals;   // dot(u, ones): (groups, count, 16), or NULL
  size_t first, count;     // rows from 16 * first on
  bool joins;              // scales allow what irc_allows_joining says
} irc_ready_panels;

// The scratch of a call: codes, scales, offsets and totals of four panels, then sums of groups of as many
// tokens as find room.
typedef struct irc_room {
  uint8_t *codes;
  float *scales;
  int32_t *offsets, *totals, *sums;
  size_t tokens;
} irc_room;

IRC_INLINE irc_room irc_room_of(const irc_product *q, void *scratch) {
  const irc_packed_weights *w = q->w;
  enum { ROWS = IRC_TILE_PANELS * IRC_PANEL_ROWS };
  size_t of_groups = w->groups * ROWS * 4, used = 0;
  irc_room room = {0};
  // Codes of eight bits are multiplied where they lie.
  if (w->bits < 8) room.codes = (uint8_t *)irc_line_of(scratch, used), used += ROWS * irc_padded(w->in);
  room.scales = (float *)irc_line_of(scratch, used), used += of_groups;
  if (w->zeros) room.offsets = (int32_t *)irc_line_of(scratch, used), used += of_groups;
  if (q->x_zero) room.totals = (int32_t *)irc_line_of(scratch, used), used += of_groups;
  room.sums = (int32_t *)irc_line_of(scratch, used);
  room.tokens = (irc_linear_scratch_bytes(w->in) - used - 64) / (4 * w->groups);
  return room;
}

// (float)sum * scale in one rounding: sums of at most 2^22 are added to the bits of IRC_ROUNDER, and what
// that adds to the product is taken off again, exactly, if scale * IRC_ROUNDER is exact.
IRC_AVX512 bool irc_allows_joining(__m512 scales) {
  __m512i bits = _mm512_castps_si512(scales);
  __mmask16 inexact = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(3));
  __mmask16 large = _mm512_cmpge_epi32_mask(
    _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff)), _mm512_set1_epi32(0x70000000));
  return (inexact | large) == 0;
}

IRC_AVX512 int32_t irc_bits_of_rounder(void) { return (int32_t)irc_bits_of_float(IRC_ROUNDER); }

// Whether all zero points of the panels leave value - zero in a byte.
IRC_AVX512 bool irc_zeros_fit(const irc_packed_weights *w, size_t first, size_t count) {
  if (w->bits == 8) return false;
  int32_t most = 128 - (1 << (w->bits - 1));
  const int8_t *zeros = w->zeros + first * IRC_PANEL_ROWS * w->groups;
  __mmask16 beyond = 0;
  for (size_t k = 0; k < count * w->groups; k++) {
    __m512i zero = irc_zeros_at(w, (size_t)(zeros - w->zeros) + 16 * k);
    beyond |= _mm512_cmpgt_epi32_mask(_mm512_abs_epi32(zero), _mm512_set1_epi32(most));
  }
  return beyond == 0;
}

// Bytes of one panel, `base` more than the values less their zero points: (in)
IRC_AVX512 void irc_unpack_panel(
  uint8_t *IRC_RESTRICT y, const irc_packed_weights *w, size_t panel, bool centres, int base,
  uint32_t bits) {
  const uint8_t *codes = (const uint8_t *)w->codes + panel * IRC_PANEL_ROWS * w->row_bytes;
  const __m512i table = w->levels ? irc_level_table(w, base) : _mm512_setzero_si512();
  const int32_t shift = w->levels || !centres ? 0 : base - (1 << (bits - 1));
  size_t i = 0;
  for (size_t g = 0; g < w->groups; g++) {
    __m512i add = _mm512_set1_epi32(shift);
    if (centres && w->zeros)
      add = _mm512_sub_epi32(add, irc_zeros_at(w, (panel * w->groups + g) * IRC_PANEL_ROWS));
    add = _mm512_mullo_epi32(
      _mm512_and_si512(add, _mm512_set1_epi32(255)), _mm512_set1_epi32(0x01010101));
    for (size_t end = irc_group_end(w, g); i < end; i += 16, y += 256) {
      __m512i step[4];
      const uint8_t *block = codes + i / IRC_BLOCK * 64 * bits;
      IRC_UNROLL for (size_t k = 0; k < bits; k += 2)
        _mm_prefetch((const char *)(block + 32 * bits * (i / 16 % 2) + 64 * (k / 2) + IRC_AHEAD), _MM_HINT_T0);
      if (i % IRC_BLOCK == 0)
        irc_half_of_block(step, block, bits, 0);
      else
        irc_half_of_block(step, block, bits, 1);
      IRC_UNROLL for (int s = 0; s < 4; s++) {
        __m512i value = w->levels ? _mm512_shuffle_epi8(table, step[s])
                                  : _mm512_add_epi8(step[s], add);
        _mm512_storeu_si512(y + 64 * s, value);
      }
    }
  }
}

// dot(u, ones) of the groups of panels.
IRC_AVX512 void irc_add_totals(
  int32_t *IRC_RESTRICT totals, const irc_ready_panels *ready, const irc_packed_weights *w,
  bool is_signed) {
  for (size_t p = 0; p < ready->count; p++)
    for (size_t g = 0, i = 0; g < w->groups; g++) {
      __m512i total = _mm512_setzero_si512();
      for (size_t end = irc_min(irc_group_end(w, g), w->in); i < end; i += 4) {
        uint32_t ones = 0x01010101u >> (end - i < 4 ? 8 * (4 - (end - i)) : 0);
        __m512i x = _mm512_set1_epi32((int32_t)ones);
        __m512i u = _mm512_loadu_si512(ready->codes + p * ready->stride + 16 * i);
        total = is_signed ? _mm512_dpbusd_epi32(total, x, u) : _mm512_dpbusd_epi32(total, u, x);
      }
      _mm512_storeu_si512(totals + (g * ready->count + p) * IRC_PANEL_ROWS, total);
    }
}

// `count` panels from panel `first` on. `base` is 128 for unsigned bytes and 0 for signed ones.
IRC_AVX512 irc_ready_panels irc_make_ready(
  const irc_product *q, const irc_room *room, size_t first, size_t count, int base) {
  const irc_packed_weights *w = q->w;
  bool centres = !w->zeros || irc_zeros_fit(w, first, count);
  irc_ready_panels ready = {.first = first, .count = count, .joins = true, .scales = room->scales};
  for (size_t p = 0; p < count; p++)
    for (size_t g = 0; g < w->groups; g++) {
      size_t from = ((first + p) * w->groups + g) * IRC_PANEL_ROWS;
      size_t to = (g * count + p) * IRC_PANEL_ROWS;
      __m512 scales = irc_scales_at(w, from);
      ready.joins = ready.joins && irc_allows_joining(scales);
      _mm512_storeu_ps(room->scales + to, scales);
      if (!centres)
        _mm512_storeu_si512(
          room->offsets + to,
          _mm512_add_epi32(irc_zeros_at(w, from), _mm512_set1_epi32(1 << (w->bits - 1))));
    }
  if (!centres) ready.offsets = room->offsets;
  if (w->bits == 8) {
    ready.codes = (const uint8_t *)w->codes + first * IRC_PANEL_ROWS * w->row_bytes;
    ready.stride = IRC_PANEL_ROWS * w->row_bytes;
  } else {
    ready.codes = room->codes;
    ready.stride = IRC_PANEL_ROWS * irc_padded(w->in);
    for (size_t p = 0; p < count; p++) {
      uint8_t *y = room->codes + p * ready.stride;
      switch (w->bits) {
        case 2: if (IRC_HAS_BITS(2)) irc_unpack_panel(y, w, first + p, centres, base, 2); break;
        case 3: if (IRC_HAS_BITS(3)) irc_unpack_panel(y, w, first + p, centres, base, 3); break;
        case 4: if (IRC_HAS_BITS(4)) irc_unpack_panel(y, w, first + p, centres, base, 4); break;
        case 5: if (IRC_HAS_BITS(5)) irc_unpack_panel(y, w, first + p, centres, base, 5); break;
        case 6: if (IRC_HAS_BITS(6)) irc_unpack_panel(y, w, first + p, centres, base, 6); break;
        default: if (IRC_HAS_BITS(7)) irc_unpack_panel(y, w, first + p, centres, base, 7); break;
      }
    }
  }
  if (q->x_zero) {
    irc_add_totals(room->totals, &ready, w, base == 0 && w->bits < 8);
    ready.totals = room->totals;
  }
  return ready;
}

#endif
#endif
