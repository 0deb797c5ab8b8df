// Products with real weights in vectors of sixteen lanes: the same bits as irc_dot. Four rows of
// weights meet some tokens in a tile whose sums stay in registers; see kernels_vector_math.h.

// Columns of a tile, so that its weights stay in the first-level cache while all tokens pass, and
// tokens that pass.
enum { IRC_TILE_COLUMNS = 1024, IRC_TILE_BATCH = 32 };

// Adds the products of n columns, from a multiple of IRC_LANES on, to the lanes of up to four rows
// and some tokens: (tokens, 4, IRC_LANES). `w` is what irc_real_weights has.
IRC_VECTOR void irc_v_tile(
  float *IRC_RESTRICT lanes, const void *w, bool is_half, size_t stride,
  const float *IRC_RESTRICT x, size_t x_stride, size_t n, size_t rows, size_t tokens) {
  const uint16_t *half = (const uint16_t *)w;
  const float *full = (const float *)w;
  irc_v sum[4 * IRC_TILE_TOKENS];
  IRC_UNROLL for (size_t t = 0; t < tokens; t++)
    IRC_UNROLL for (size_t r = 0; r < rows; r++)
      sum[4 * t + r] = irc_v_load(lanes + (4 * t + r) * IRC_LANES);
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES) {
    irc_v v[IRC_TILE_TOKENS];
    IRC_UNROLL for (size_t t = 0; t < tokens; t++) v[t] = irc_v_load(x + t * x_stride + i);
    IRC_UNROLL for (size_t r = 0; r < rows; r++) {
      irc_v a = is_half ? irc_v_load_half(half + r * stride + i) : irc_v_load(full + r * stride + i);
      IRC_UNROLL for (size_t t = 0; t < tokens; t++)
        sum[4 * t + r] = irc_v_add(sum[4 * t + r], irc_v_mul(a, v[t]));
    }
  }
  // Behind the end, zeros add zero, which a lane that began as zero does not notice.
  if (i < n) {
    size_t some = n - i;
    irc_v v[IRC_TILE_TOKENS];
    IRC_UNROLL for (size_t t = 0; t < tokens; t++)
      v[t] = irc_v_load_some(x + t * x_stride + i, some);
    IRC_UNROLL for (size_t r = 0; r < rows; r++) {
      irc_v a = is_half ? irc_v_load_half_some(half + r * stride + i, some)
                        : irc_v_load_some(full + r * stride + i, some);
      IRC_UNROLL for (size_t t = 0; t < tokens; t++)
        sum[4 * t + r] = irc_v_add(sum[4 * t + r], irc_v_mul(a, v[t]));
    }
  }
  IRC_UNROLL for (size_t t = 0; t < tokens; t++)
    IRC_UNROLL for (size_t r = 0; r < rows; r++)
      irc_v_store(lanes + (4 * t + r) * IRC_LANES, sum[4 * t + r]);
}

// The same for any number of tokens and of rows, one to four; `is_half` is known when this is compiled.
IRC_VECTOR void irc_v_tiles_of(
  float *IRC_RESTRICT lanes, const void *w, bool is_half, size_t stride,
  const float *IRC_RESTRICT x, size_t x_stride, size_t n, size_t rows, size_t tokens) {
  size_t bytes = is_half ? 2 : 4, t = 0;
  if (rows == 4)
    for (; t + IRC_TILE_TOKENS <= tokens; t += IRC_TILE_TOKENS)
      irc_v_tile(
        lanes + t * 4 * IRC_LANES, w, is_half, stride, x + t * x_stride, x_stride, n, 4,
        IRC_TILE_TOKENS);
  for (; t < tokens; t++) {
    if (rows == 4) {
      irc_v_tile(
        lanes + t * 4 * IRC_LANES, w, is_half, stride, x + t * x_stride, x_stride, n, 4, 1);
      continue;
    }
    for (size_t r = 0; r < rows; r++)
      irc_v_tile(
        lanes + (4 * t + r) * IRC_LANES, (const uint8_t *)w + r * stride * bytes, is_half, stride,
        x + t * x_stride, x_stride, n, 1, 1);
  }
}

IRC_SHARED void irc_v_tiles(
  float *IRC_RESTRICT lanes, const void *w, bool is_half, size_t stride,
  const float *IRC_RESTRICT x, size_t x_stride, size_t n, size_t rows, size_t tokens) {
  if (is_half)
    irc_v_tiles_of(lanes, w, true, stride, x, x_stride, n, rows, tokens);
  else
    irc_v_tiles_of(lanes, w, false, stride, x, x_stride, n, rows, tokens);
}

// The sums of the lanes: (tokens, 4, IRC_LANES) -> (tokens, rows)
IRC_SHARED void irc_v_sum_tiles(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT lanes, const float *bias,
  size_t tokens, size_t rows) {
  for (size_t t = 0, count; t < tokens; t += count, y += count * y_stride) {
    float dot[16];
    count = 4;
    if (t + 4 <= tokens) {
      irc_v sum[16];
      IRC_UNROLL for (size_t k = 0; k < 16; k++)
        sum[k] = irc_v_load(lanes + (4 * t + k) * IRC_LANES);
      irc_v_store(dot, irc_v_sums(sum));
    } else {
      count = 1;
      for (size_t k = 0; k < rows; k++)
        dot[k] = irc_v_sum(irc_v_load(lanes + (4 * t + k) * IRC_LANES));
    }
    for (size_t k = 0; k < count; k++)
      for (size_t r = 0; r < rows; r++)
        y[k * y_stride + r] = bias ? dot[4 * k + r] + bias[r] : dot[4 * k + r];
  }
}

IRC_SHARED void irc_v_linear(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const void *IRC_RESTRICT w, bool is_half, const float *bias, size_t tokens, size_t in,
  size_t out) {
  size_t bytes = is_half ? 2 : 4;
  for (size_t first = 0, count; first < tokens; first += count) {
    count = tokens - first < IRC_TILE_BATCH ? tokens - first : IRC_TILE_BATCH;
    for (size_t o = 0, rows; o < out; o += rows) {
      float lanes[IRC_TILE_BATCH * 4 * IRC_LANES];
      rows = out - o < 4 ? out - o : 4;
      memset(lanes, 0, count * 4 * IRC_LANES * sizeof(float));
      for (size_t start = 0, length; start < in; start += length) {
        length = in - start < IRC_TILE_COLUMNS ? in - start : IRC_TILE_COLUMNS;
        irc_v_tiles(
          lanes, (const uint8_t *)w + (o * in + start) * bytes, is_half, in,
          x + first * x_stride + start, x_stride, length, rows, count);
      }
      irc_v_sum_tiles(
        y + first * y_stride + o, y_stride, lanes, bias ? bias + o : NULL, count, rows);
    }
  }
}

IRC_KERNEL void IRC_OF_SET(linear_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const float *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out) {
  irc_v_linear(y, y_stride, x, x_stride, w, false, bias, tokens, in, out);
}

IRC_KERNEL void IRC_OF_SET(linear_f16)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const uint16_t *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out,
  void *IRC_RESTRICT scratch) {
  (void)scratch;  // weights are widened as they are loaded
  irc_v_linear(y, y_stride, x, x_stride, w, true, bias, tokens, in, out);
}

// ---- Branches of low rank -----------------------------------------------------------------------

// Columns that are multiplied while the quantizer has them at hand.
enum { IRC_DOWN_COLUMNS = 512 };

// The columns start ..< start + n of up to IRC_DOWN_TOKENS tokens times those of `down`, into
// (rank / 4, IRC_DOWN_TOKENS, 4, IRC_LANES).
IRC_SHARED void irc_v_add_down(
  float *IRC_RESTRICT lanes, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens,
  const irc_real_weights *down, size_t start, size_t n) {
  size_t bytes = down->is_half ? 2 : 4;
  for (size_t o = 0; o < down->out; o += 4, lanes += IRC_DOWN_TOKENS * 4 * IRC_LANES) {
    const uint8_t *w = (const uint8_t *)down->values + (o * down->in + start) * bytes;
    size_t rows = down->out - o < 4 ? down->out - o : 4;
    irc_v_tiles(lanes, w, down->is_half, down->in, x + start, x_stride, n, rows, tokens);
  }
}

IRC_VECTOR void irc_v_sum_down(
  float *IRC_RESTRICT hidden, size_t hidden_stride, const float *IRC_RESTRICT lanes, size_t tokens,
  size_t rank) {
  for (size_t o = 0; o < rank; o += 4, lanes += IRC_DOWN_TOKENS * 4 * IRC_LANES)
    irc_v_sum_tiles(
      hidden + o, hidden_stride, lanes, NULL, tokens, rank - o < 4 ? rank - o : 4);
}

#define IRC_DOWN_KERNEL IRC_KERNEL
#define IRC_DOWN_OF_SET IRC_OF_SET
#define IRC_DOWN(name) irc_v_##name
#define IRC_DOWN_QUANTIZE(codes, x, n, r, zero, low, high) \
  irc_v_quantize(codes, x, n, r, zero, (float)((low) - (zero)), (float)((high) - (zero)))
#include "kernels_branch_down.h"

// Sums of the tree of irc_sum_lanes: the lanes of sixteen rows, of which 16 `steps` columns lie
// together, times those of a token. That a sum is not begun from zero shows in the sign of a zero only.
IRC_VECTOR irc_v irc_v_up_1(const float *up, const float *x, size_t steps, size_t j) {
  irc_v sum = irc_v_mul(irc_v_load(up + j * 16), irc_v_set(x[j]));
  for (size_t i = j + IRC_LANES; i < steps * IRC_LANES; i += IRC_LANES)
    sum = irc_v_add(sum, irc_v_mul(irc_v_load(up + i * 16), irc_v_set(x[i])));
  return sum;
}
IRC_VECTOR irc_v irc_v_up_2(const float *up, const float *x, size_t steps, size_t j) {
  return irc_v_add(irc_v_up_1(up, x, steps, j), irc_v_up_1(up, x, steps, j + 8));
}
IRC_VECTOR irc_v irc_v_up_4(const float *up, const float *x, size_t steps, size_t j) {
  return irc_v_add(irc_v_up_2(up, x, steps, j), irc_v_up_2(up, x, steps, j + 4));
}
IRC_VECTOR irc_v irc_v_up_8(const float *up, const float *x, size_t steps, size_t j) {
  return irc_v_add(irc_v_up_4(up, x, steps, j), irc_v_up_4(up, x, steps, j + 2));
}
IRC_VECTOR irc_v irc_v_up_16(const float *up, const float *x, size_t steps) {
  irc_v sum = irc_v_add(irc_v_up_8(up, x, steps, 0), irc_v_up_8(up, x, steps, 1));
  return irc_v_add(sum, irc_v_set(0.0f));
}

// Adds to up to sixteen rows; `padded` has room for what a token has behind its last column.
IRC_VECTOR void irc_v_add_up(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const float *IRC_RESTRICT up, float *IRC_RESTRICT padded, size_t rank, size_t steps,
  size_t tokens, size_t rows) {
  for (size_t t = 0; t < tokens; t++, y += y_stride, hidden += hidden_stride) {
    const float *x = hidden;
    __builtin_prefetch(y + 16, 1, 2);  // a line a token is more streams than processors see by themselves
    if (rank < steps * IRC_LANES) x = (const float *)memcpy(padded, x, rank * sizeof *x);
    irc_v sum = irc_v_up_16(up, x, steps);
    if (rows == 16)
      irc_v_store(y, irc_v_add(irc_v_load(y), sum));
    else
      irc_v_store_some(y, irc_v_add(irc_v_load_some(y, rows), sum), rows);
  }
}

// Tokens from which on it is worth while to lay sixteen rows beside each other, and that meet them there.
enum { IRC_UP_TOKENS = 4, IRC_UP_BATCH = 64 };

IRC_KERNEL void IRC_OF_SET(add_branch)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT room) {
  const size_t rank = up->in, steps = (rank + IRC_LANES - 1) / IRC_LANES;
  const size_t columns = steps * IRC_LANES;
  float *beside = (float *)room, *padded = beside + 16 * columns;
  if (tokens < IRC_UP_TOKENS) {
    IRC_NAME(add_branch)(y, y_stride, hidden, hidden_stride, up, tokens, room);
    return;
  }
  memset(beside, 0, 17 * columns * sizeof(float));
  for (size_t first = 0, count; first < tokens; first += count) {
    count = tokens - first < IRC_UP_BATCH ? tokens - first : IRC_UP_BATCH;
    for (size_t o = 0, rows; o < up->out; o += rows) {
      rows = up->out - o < 16 ? up->out - o : 16;
      for (size_t r = 0; r < rows; r++) {
        float *row = padded + columns;
        irc_real_piece(row, up, (o + r) * rank, rank);
        for (size_t i = 0; i < rank; i++) beside[i * 16 + r] = row[i];
      }
      float *to = y + first * y_stride + o;
      const float *from = hidden + first * hidden_stride;
#define IRC_ADD_UP(n) \
  irc_v_add_up(to, y_stride, from, hidden_stride, beside, padded, rank, n, count, rows)
      switch (steps) {
        case 1: IRC_ADD_UP(1); break;
        case 2: IRC_ADD_UP(2); break;
        case 4: IRC_ADD_UP(4); break;
        default: IRC_ADD_UP(steps);
      }
    }
#undef IRC_ADD_UP
  }
}
