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

// What a group's dot products become before they are sums; see kernels_avx512_integer.h.
typedef struct irc_correction {
  const irc_ready_panels *ready;
  const int32_t *sums;  // minus the sums of groups: (tokens, groups), or NULL where the offset is zero
  int32_t offset;
} irc_correction;

// result[m] += (float)sum * scale of one group for sixteen tokens from `first` on; of those that do not
// exist, nothing is used.
IRC_AMX void irc_add_group(
  __m512 result[IRC_AMX_TOKENS], irc_tile_sums dots, const irc_product *q,
  const irc_correction *c, size_t panel, size_t g, size_t first, size_t tokens) {
  const irc_ready_panels *ready = c->ready;
  const size_t at = (g * ready->count + panel) * IRC_PANEL_ROWS, groups = q->w->groups;
  const __m512 scales = _mm512_loadu_ps(ready->scales + at);
  if (!c->sums && !ready->totals) {
    _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++)
      result[m] = _mm512_add_ps(
        result[m], _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(dots[m])), scales));
    return;
  }
  __m512i offsets = ready->offsets ? _mm512_loadu_si512(ready->offsets + at)
                                   : _mm512_set1_epi32(c->offset);
  __m512i totals = ready->totals ? _mm512_loadu_si512(ready->totals + at) : _mm512_setzero_si512();
  _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++) {
    size_t t = irc_min(m, tokens - 1);
    int32_t sum = c->sums ? c->sums[t * groups + g] : 0;
    int32_t zero = q->x_zero ? q->x_zero[(first + t) * q->x_scale_stride] : 0;
    __m512i value = _mm512_add_epi32(
      _mm512_loadu_si512(dots[m]), _mm512_mullo_epi32(offsets, _mm512_set1_epi32(sum)));
    value = _mm512_sub_epi32(value, _mm512_mullo_epi32(totals, _mm512_set1_epi32(zero)));
    result[m] = _mm512_add_ps(result[m], _mm512_mul_ps(_mm512_cvtepi32_ps(value), scales));
  }
}

IRC_AMX void irc_store_tokens(
  const irc_product *q, size_t row, size_t first, size_t tokens,
  const __m512 result[IRC_AMX_TOKENS]) {
  _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++)
    if (m < tokens) irc_store_rows(q, row, first + m, result[m]);
}

// ---- One scale a row ----------------------------------------------------------------------------

// One or two panels, from number `panel` of the ready ones on, with up to 32 tokens.
IRC_AMX void irc_amx_rows(
  const irc_product *q, const irc_correction *c, size_t panel, size_t panels, size_t first,
  size_t tokens, size_t columns, bool is_signed) {
  const irc_ready_panels *ready = c->ready;
  const uint8_t *b = ready->codes + panel * ready->stride;
  const int8_t *x = q->x + first * q->x_stride, *x2 = x + IRC_AMX_TOKENS * q->x_stride;
  const size_t padded = irc_padded(q->w->in), stride = q->x_stride, next = ready->stride;
  const bool two_tokens = tokens > IRC_AMX_TOKENS, two_panels = panels > 1;
  irc_tile_sums dots[4];
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  if (two_tokens && two_panels) {
    for (size_t i = 0; i < padded; i += columns, b += 16 * columns) {
      _tile_loadd(6, b, 64);
      _tile_loadd(4, x + i, stride);
      IRC_TILE_MULTIPLY(is_signed, 0, 4, 6);
      _tile_loadd(7, b + next, 64);
      IRC_TILE_MULTIPLY(is_signed, 1, 4, 7);
      _tile_loadd(5, x2 + i, stride);
      IRC_TILE_MULTIPLY(is_signed, 2, 5, 6);
      IRC_TILE_MULTIPLY(is_signed, 3, 5, 7);
    }
  } else {
    for (size_t i = 0; i < padded; i += columns, b += 16 * columns) {
      _tile_loadd(6, b, 64);
      _tile_loadd(4, x + i, stride);
      IRC_TILE_MULTIPLY(is_signed, 0, 4, 6);
      if (two_panels) {
        _tile_loadd(7, b + next, 64);
        IRC_TILE_MULTIPLY(is_signed, 1, 4, 7);
      }
      if (two_tokens) {
        _tile_loadd(5, x2 + i, stride);
        IRC_TILE_MULTIPLY(is_signed, 2, 5, 6);
      }
    }
  }
  _tile_stored(0, dots[0], 64);
  _tile_stored(1, dots[1], 64);
  _tile_stored(2, dots[2], 64);
  _tile_stored(3, dots[3], 64);
  for (size_t k = 0; k < 4; k++) {
    size_t token = k / 2 * IRC_AMX_TOKENS;
    if (token >= tokens || k % 2 >= panels) continue;
    size_t count = irc_min(tokens - token, IRC_AMX_TOKENS);
    __m512 result[IRC_AMX_TOKENS];
    _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++)
      result[m] = _mm512_setzero_ps();
    irc_correction own = {c->ready, c->sums ? c->sums + token : NULL, c->offset};
    irc_add_group(result, dots[k], q, &own, panel + k % 2, 0, first + token, count);
    irc_store_tokens(
      q, (ready->first + panel + k % 2) * IRC_PANEL_ROWS, first + token, count, result);
  }
}

// ---- Scales of groups ---------------------------------------------------------------------------

// Groups until the sums that a tile stores are read: they have to come to the cache first.
enum { IRC_AMX_DELAY = 3 };

// Panel number `panel` of the ready ones with up to sixteen tokens.
IRC_AMX void irc_amx_groups(
  const irc_product *q, const irc_correction *c, size_t panel, size_t first, size_t tokens,
  size_t columns, bool is_signed) {
  const irc_ready_panels *ready = c->ready;
  const uint8_t *b = ready->codes + panel * ready->stride;
  const int8_t *x = q->x + first * q->x_stride;
  const size_t groups = q->w->groups;
  irc_tile_sums dots[IRC_AMX_DELAY + 1];
  __m512 result[IRC_AMX_TOKENS];
  _Pragma("GCC unroll 16") for (size_t m = 0; m < IRC_AMX_TOKENS; m++)
    result[m] = _mm512_setzero_ps();
  size_t i = 0;
  for (size_t g = 0; g < groups + IRC_AMX_DELAY; g++) {
    if (g < groups) {
      _tile_zero(0);
      for (size_t end = irc_group_end(q->w, g); i < end; i += columns, b += 16 * columns) {
        _tile_loadd(6, b, 64);
        _tile_loadd(4, x + i, q->x_stride);
        IRC_TILE_MULTIPLY(is_signed, 0, 4, 6);
      }
      _tile_stored(0, dots[g % (IRC_AMX_DELAY + 1)], 64);
    }
    if (g >= IRC_AMX_DELAY) {
      const size_t at = g - IRC_AMX_DELAY;
      irc_add_group(result, dots[at % (IRC_AMX_DELAY + 1)], q, c, panel, at, first, tokens);
    }
  }
  irc_store_tokens(q, (ready->first + panel) * IRC_PANEL_ROWS, first, tokens, result);
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
  size_t panels = irc_stored_rows(w->out, IRC_LAYOUT_PANELS) / IRC_PANEL_ROWS, tokens, count;
  size_t columns = irc_tile_columns(w), groups = w->groups;
  const size_t most = (groups == 1 ? 2 : 1) * IRC_AMX_TOKENS;
  size_t cached = IRC_AMX_CACHED / irc_padded(w->in);
  if (cached < most) cached = most;
  size_t shaped = 0;
  for (size_t first = 0; first < q->tokens; first += tokens) {
    tokens = irc_min(q->tokens - first, irc_min(room.tokens, cached));
    if (tokens > most) tokens = tokens / most * most;
    irc_sums_of_groups(room.sums, q, first, tokens, 1, 0);
    for (size_t p = 0; p < panels; p += count) {
      count = irc_min(panels - p, IRC_TILE_PANELS);
      irc_ready_panels ready = irc_make_ready(q, &room, p, count, 0);
      bool corrects = !is_signed || ready.offsets;
      for (size_t t = 0, width; t < tokens; t += width) {
        width = irc_min(tokens - t, most);
        if (width != shaped) {
          size_t second = width > IRC_AMX_TOKENS ? width - IRC_AMX_TOKENS : 1;
          irc_shape_tiles(columns, irc_min(width, IRC_AMX_TOKENS), second);
          shaped = width;
        }
        irc_correction c = {
          &ready, corrects ? room.sums + t * groups : NULL, is_signed ? 0 : 128};
        if (groups == 1)
          for (size_t k = 0; k < count; k += 2)
            irc_amx_rows(
              q, &c, k, irc_min(count - k, 2), first + t, width, columns, is_signed);
        else
          for (size_t k = 0; k < count; k++)
            irc_amx_groups(q, &c, k, first + t, width, columns, is_signed);
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
// be read, more where they are unpacked first, and most where a tile is hardly filled before it is stored.
IRC_INLINE size_t irc_least_amx_tokens(const irc_packed_weights *w) {
  if (w->groups > 1 && w->group < 64) return 16;
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
