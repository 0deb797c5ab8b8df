// The integer product for AMX, of weights in panels: sixteen steps of a panel of bytes are a tile as they
// lie, and so are 64 columns of sixteen tokens.
#include "kernels_sets.h"
#include "kernels_avx512_integer.h"

#if IRC_X86

// ---- Tiles --------------------------------------------------------------------------------------

#define IRC_AMX IRC_TARGET_AMX IRC_INLINE

enum { IRC_AMX_TOKENS = 16 };

typedef struct irc_tile_shapes {
  uint8_t palette, start_row, unused[14];
  uint16_t bytes[16];  // of a row
  uint8_t rows[16];
} irc_tile_shapes;

// Tiles 0 to 3 are sums, of tokens in rows and of a panel in columns: 2 * (second tokens) + (second
// panel). Tiles 4 and 5 are activations, 6 and 7 weights, of `columns` columns. The second tokens are
// `second` ones, at least one.
IRC_AMX void irc_shape_tiles(size_t columns, size_t first, size_t second) {
  irc_tile_shapes shapes = {.palette = 1};
  for (int k = 0; k < 8; k++) {
    bool is_second = k == 2 || k == 3 || k == 5;
    shapes.bytes[k] = (uint16_t)(k == 4 || k == 5 ? columns : 64);
    shapes.rows[k] = (uint8_t)(k >= 6 ? columns / 4 : is_second ? second : first);
  }
  // The compiler does not know that the instruction reads memory, here and at other tiles.
  __asm__ volatile("" : : "r"(&shapes) : "memory");
  _tile_loadconfig(&shapes);
}

// tile += a * b, the bytes of b being signed or not.
#define IRC_TILE_MULTIPLY(is_signed, tile, a, b) \
  do { \
    if (is_signed) \
      _tile_dpbssd(tile, a, b); \
    else \
      _tile_dpbsud(tile, a, b); \
  } while (0)

typedef int32_t irc_tile_sums[IRC_AMX_TOKENS][IRC_PANEL_ROWS];
typedef float irc_tile_results[IRC_AMX_TOKENS][IRC_PANEL_ROWS];

IRC_AMX void irc_store_tiles(irc_tile_sums sums[4]) {
  _tile_stored(0, sums[0], 64);
  _tile_stored(1, sums[1], 64);
  _tile_stored(2, sums[2], 64);
  _tile_stored(3, sums[3], 64);
}

// ---- From sums to results -----------------------------------------------------------------------

// One or two panels, from number `panel` of the ready ones on, with the tokens `first` ..< first + tokens, at
// most twice IRC_AMX_TOKENS. Sums of groups are those of kernels_avx512_integer.h: minus what is summed up,
// (tokens, groups), or NULL where the offset is zero.
typedef struct irc_tile_block {
  const irc_ready_panels *ready;
  size_t panel, panels, first, tokens;
  const int32_t *sums;
  int32_t offset;
  irc_fetching next;  // panels
} irc_tile_block;

// What dot products need before they are sums: nothing, what the offset of codes adds, or that and what
// offsets of groups and zero points of activations add.
typedef enum irc_correction { IRC_PLAIN, IRC_OFFSET, IRC_ANY } irc_correction;

// results[m] += (float)sum * scale of group g, for the sixteen tokens and the panel of tile k; of tokens that
// do not exist, nothing is used.
IRC_AMX void irc_add_group(
  irc_tile_results results, irc_tile_sums dots, const irc_product *q, const irc_tile_block *block,
  size_t k, size_t g, irc_correction correction, bool is_whole) {
  const size_t token = k / 2 * IRC_AMX_TOKENS, panel = block->panel + k % 2, groups = q->w->groups;
  if (!is_whole && (token >= block->tokens || k % 2 >= block->panels)) return;
  const irc_ready_panels *ready = block->ready;
  const size_t at = (g * ready->count + panel) * IRC_PANEL_ROWS;
  const __m512 scales = _mm512_loadu_ps(ready->scales + at);
  __m512i offsets = _mm512_set1_epi32(block->offset), totals = _mm512_setzero_si512();
  if (correction == IRC_ANY) {
    if (ready->offsets) offsets = _mm512_loadu_si512(ready->offsets + at);
    if (ready->totals) totals = _mm512_loadu_si512(ready->totals + at);
  }
  _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++) {
    __m512i value = _mm512_loadu_si512(dots[m]);
    const size_t t = irc_min(token + m, block->tokens - 1);
    if (correction == IRC_OFFSET) {
      uint32_t sum = (uint32_t)block->sums[t * groups + g] * (uint32_t)block->offset;
      value = _mm512_add_epi32(value, _mm512_set1_epi32((int32_t)sum));
    } else if (correction == IRC_ANY) {
      int32_t sum = block->sums ? block->sums[t * groups + g] : 0;
      int32_t zero = q->x_zero ? q->x_zero[(block->first + t) * q->x_scale_stride] : 0;
      value = _mm512_add_epi32(value, _mm512_mullo_epi32(offsets, _mm512_set1_epi32(sum)));
      value = _mm512_sub_epi32(value, _mm512_mullo_epi32(totals, _mm512_set1_epi32(zero)));
    }
    __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(value), scales);
    _mm512_storeu_ps(results[m], _mm512_add_ps(_mm512_loadu_ps(results[m]), product));
  }
}

IRC_AMX void irc_store_results(
  irc_tile_results results[4], const irc_product *q, const irc_tile_block *block) {
  for (size_t p = 0; p < block->panels; p++)
    for (size_t t = 0; t < block->tokens; t++)
      irc_store_rows(
        q, (block->ready->first + block->panel + p) * IRC_PANEL_ROWS, block->first + t,
        _mm512_loadu_ps(results[t / IRC_AMX_TOKENS * 2 + p][t % IRC_AMX_TOKENS]));
}

// ---- Blocks of four tiles -----------------------------------------------------------------------

// All columns of a block. Stores of tiles wait for their products and delay what comes after them, and reading
// what was stored waits again: so the sums of a group are stored when the next one's are about to take their
// tiles, and added one group later, tile by tile between the products.
IRC_AMX void irc_amx_block(
  const irc_product *q, irc_tile_block *block, size_t columns, bool is_signed,
  irc_correction correction, bool is_whole) {
  const size_t groups = q->w->groups, stride = q->x_stride, next = block->ready->stride;
  const uint8_t *b = block->ready->codes + block->panel * next;
  const int8_t *row = q->x + block->first * stride, *x = row;
  const bool two_tokens = is_whole || block->tokens > IRC_AMX_TOKENS;
  const bool two_panels = is_whole || block->panels > 1;
  irc_tile_sums sums[2][4];
  irc_tile_results results[4];
  memset(results, 0, sizeof results);
#define IRC_ADD(k) \
  if (g > 1) irc_add_group(results[k], sums[g % 2][k], q, block, k, g - 2, correction, is_whole)
  for (size_t g = 0; g < groups; g++) {
    irc_tile_sums *before = sums[(g + 1) % 2];
    const int8_t *end = row + irc_group_end(q->w, g);
    irc_fetch(&block->next);
    _tile_loadd(6, b, 64);
    _tile_loadd(4, x, stride);
    IRC_ADD(0);
    _tile_stored(0, before[0], 64);
    _tile_zero(0);
    IRC_TILE_MULTIPLY(is_signed, 0, 4, 6);
    IRC_ADD(1);
    if (two_panels) {
      _tile_stored(1, before[1], 64);
      _tile_loadd(7, b + next, 64);
      _tile_zero(1);
      IRC_TILE_MULTIPLY(is_signed, 1, 4, 7);
    }
    IRC_ADD(2);
    if (two_tokens) {
      _tile_stored(2, before[2], 64);
      _tile_loadd(5, x + IRC_AMX_TOKENS * stride, stride);
      _tile_zero(2);
      IRC_TILE_MULTIPLY(is_signed, 2, 5, 6);
      IRC_ADD(3);
      if (two_panels) {
        _tile_stored(3, before[3], 64);
        _tile_zero(3);
        IRC_TILE_MULTIPLY(is_signed, 3, 5, 7);
      }
    }
    for (x += columns, b += IRC_PANEL_ROWS * columns; x < end;
         x += columns, b += IRC_PANEL_ROWS * columns) {
      irc_fetch(&block->next);
      _tile_loadd(6, b, 64);
      _tile_loadd(4, x, stride);
      IRC_TILE_MULTIPLY(is_signed, 0, 4, 6);
      if (two_panels) {
        _tile_loadd(7, b + next, 64);
        IRC_TILE_MULTIPLY(is_signed, 1, 4, 7);
      }
      if (two_tokens) {
        _tile_loadd(5, x + IRC_AMX_TOKENS * stride, stride);
        IRC_TILE_MULTIPLY(is_signed, 2, 5, 6);
        if (two_panels) IRC_TILE_MULTIPLY(is_signed, 3, 5, 7);
      }
    }
  }
#undef IRC_ADD
  irc_store_tiles(sums[(groups + 1) % 2]);
  for (size_t g = groups > 1 ? groups - 2 : 0; g < groups; g++)
    for (size_t k = 0; k < 4; k++)
      irc_add_group(results[k], sums[g % 2][k], q, block, k, g, correction, is_whole);
  irc_store_results(results, q, block);
}

// ---- The kernels --------------------------------------------------------------------------------

// How many columns a tile takes: all groups, and the row, are whole tiles.
IRC_INLINE size_t irc_tile_columns(const irc_packed_weights *w) {
  size_t padded = irc_padded(w->in), columns = 64;
  while (padded % columns || (w->groups > 1 && w->group % columns)) columns /= 2;
  return columns;
}

// Bytes of activations that are multiplied with all panels before others are: half of a second-level cache.
enum { IRC_AMX_CACHED = 1 << 20 };

IRC_AMX void irc_amx_product(const irc_product *q, void *scratch, bool is_signed) {
  const irc_packed_weights *w = q->w;
  irc_room room = irc_room_of(q, scratch);
  const size_t panels = irc_stored_rows(w->out, IRC_LAYOUT_PANELS) / IRC_PANEL_ROWS;
  const size_t columns = irc_tile_columns(w), most = 2 * IRC_AMX_TOKENS;
  const size_t cached = irc_max(IRC_AMX_CACHED / irc_padded(w->in), most);
  size_t shaped = 0, tokens, count;
  for (size_t first = 0; first < q->tokens; first += tokens) {
    tokens = irc_min(q->tokens - first, irc_min(room.tokens, cached));
    if (tokens > most) tokens = tokens / most * most;
    if (!is_signed || w->zeros) irc_sums_of_groups(room.sums, q, first, tokens, 1, 0);
    for (size_t p = 0; p < panels; p += count) {
      count = irc_min(panels - p, IRC_TILE_PANELS);
      irc_ready_panels ready = irc_make_ready(q, &room, p, count, 0);
      size_t steps = (tokens + most - 1) / most * ((count + 1) / 2) * (irc_padded(w->in) / columns);
      irc_tile_block block = {.ready = &ready, .offset = is_signed ? 0 : 128};
      block.next = irc_fetching_of(w, p + count, IRC_TILE_PANELS, steps);
      for (size_t t = 0; t < tokens; t += block.tokens) {
        block.first = first + t;
        block.tokens = irc_min(tokens - t, most);
        block.sums = !is_signed || ready.offsets ? room.sums + t * w->groups : NULL;
        if (block.tokens != shaped) {
          shaped = block.tokens;
          size_t second = shaped > IRC_AMX_TOKENS ? shaped - IRC_AMX_TOKENS : 1;
          irc_shape_tiles(columns, irc_min(shaped, IRC_AMX_TOKENS), second);
        }
        for (block.panel = 0; block.panel < count; block.panel += 2) {
          block.panels = irc_min(count - block.panel, 2);
          const irc_correction usual = is_signed ? IRC_PLAIN : IRC_OFFSET;
          if (ready.offsets || ready.totals)
            irc_amx_block(q, &block, columns, is_signed, IRC_ANY, false);
          else if (block.panels < 2 || block.tokens < most)
            irc_amx_block(q, &block, columns, is_signed, usual, false);
          else
            irc_amx_block(q, &block, columns, is_signed, usual, true);
        }
      }
    }
  }
  _tile_release();
}

IRC_TARGET_AMX static void irc_amx_product_signed(const irc_product *q, void *scratch) {
  irc_amx_product(q, scratch, true);
}

IRC_TARGET_AMX static void irc_amx_product_unsigned(const irc_product *q, void *scratch) {
  irc_amx_product(q, scratch, false);
}

// From how many tokens on tiles are the faster way: few where codes lie ready for them and only have to
// be read, more where they are unpacked first or groups have scales.
IRC_INLINE size_t irc_least_amx_tokens(const irc_packed_weights *w) {
  return w->bits == 8 && w->groups == 1 ? 4 : 12;
}

void IRC_NAME(linear_q_i8_amx)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  const int32_t *zeros = irc_zeros_that_count(x_zero, x_scale_stride, tokens);
  if (tokens < irc_least_amx_tokens(w) || !irc_takes_panels(w, zeros != NULL)) {
    IRC_NAME(linear_q_i8_avx512)(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch);
    return;
  }
  irc_product q = {y, y_stride, x, x_stride, x_scale, zeros, x_scale_stride, w, bias, tokens};
  // Codes of eight bits are multiplied as they are stored, others come signed out of their panels.
  if (w->bits == 8)
    irc_amx_product_unsigned(&q, scratch);
  else
    irc_amx_product_signed(&q, scratch);
}

IRC_DEFINE_INTEGER_UP(amx, IRC_TARGET_AVX512_VNNI, add_branch_avx512)

#endif
