// A branch of low rank beside an integer product: the narrow product joins the quantizer of the
// activations, the wide one the sums.
#include "kernels_integer.h"
#include "kernels_sets.h"

// Columns that are multiplied while they lie in the first-level cache: a multiple of IRC_LANES.
enum { IRC_PIECE = 256 };

// Adds the products of n columns, from a multiple of IRC_LANES on, to the lanes of four rows.
IRC_INLINE void irc_add_lanes4(
  float lanes[4 * IRC_LANES], const float *IRC_RESTRICT w, size_t stride,
  const float *IRC_RESTRICT x, size_t n) {
  float lane[4][IRC_LANES];
  for (size_t r = 0; r < 4; r++)
    for (size_t j = 0; j < IRC_LANES; j++) lane[r][j] = lanes[r * IRC_LANES + j];
  size_t i = 0;
  for (; i + IRC_LANES <= n; i += IRC_LANES)
    for (size_t r = 0; r < 4; r++)
      for (size_t j = 0; j < IRC_LANES; j++) lane[r][j] += w[r * stride + i + j] * x[i + j];
  for (size_t r = 0; r < 4; r++)
    for (size_t j = 0; i + j < n; j++) lane[r][j] += w[r * stride + i + j] * x[i + j];
  for (size_t r = 0; r < 4; r++)
    for (size_t j = 0; j < IRC_LANES; j++) lanes[r * IRC_LANES + j] = lane[r][j];
}

// The columns start ..< start + n of x times those of `down`, into the lanes of up to
// IRC_DOWN_TOKENS tokens: (rank / 4, IRC_DOWN_TOKENS, 4, IRC_LANES)
IRC_INLINE void irc_add_down(
  float *IRC_RESTRICT lanes, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens,
  const irc_real_weights *down, size_t start, size_t n) {
  for (size_t o = 0; o < down->out; o += 4, lanes += IRC_DOWN_TOKENS * 4 * IRC_LANES) {
    float room[4 * IRC_PIECE];
    const float *w = room;
    size_t stride = IRC_PIECE;
    if (!down->is_half && o + 4 <= down->out) {
      w = (const float *)down->values + o * down->in + start;
      stride = down->in;
    } else {
      // Behind the last row comes that row again; what it gives is left where it is.
      for (size_t r = 0; r < 4; r++) {
        size_t row = o + r < down->out ? o + r : down->out - 1;
        irc_real_piece(room + r * IRC_PIECE, down, row * down->in + start, n);
      }
    }
    for (size_t t = 0; t < tokens; t++)
      irc_add_lanes4(lanes + t * 4 * IRC_LANES, w, stride, x + t * x_stride + start, n);
  }
}

// The sums of the lanes: (tokens, rank)
IRC_INLINE void irc_sum_down(
  float *IRC_RESTRICT hidden, size_t hidden_stride, float *IRC_RESTRICT lanes, size_t tokens,
  size_t rank) {
  for (size_t o = 0; o < rank; o++)
    for (size_t t = 0; t < tokens; t++)
      hidden[t * hidden_stride + o] = irc_sum_lanes(
        lanes + ((o / 4 * IRC_DOWN_TOKENS + t) * 4 + o % 4) * IRC_LANES);
}

IRC_INLINE void irc_clear_down(float *IRC_RESTRICT lanes, size_t rank) {
  memset(lanes, 0, irc_down_scratch_bytes(rank));
}

IRC_INLINE size_t irc_least(size_t a, size_t b) { return a < b ? a : b; }

IRC_CLONES void IRC_NAME(quantize_tokens_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, float *IRC_RESTRICT hidden, size_t hidden_stride,
  const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down, size_t tokens,
  uint32_t bits, void *IRC_RESTRICT scratch) {
  float *lanes = (float *)scratch;
  size_t n = down->in, count;
  for (size_t first = 0; first < tokens; first += count) {
    count = irc_least(tokens - first, IRC_DOWN_TOKENS);
    const float *rows = x + first * x_stride;
    irc_span spans[IRC_DOWN_TOKENS];
    for (size_t t = 0; t < count; t++) spans[t] = irc_no_span();
    irc_clear_down(lanes, down->out);
    for (size_t start = 0; start < n; start += IRC_PIECE) {
      size_t length = irc_least(n - start, IRC_PIECE);
      for (size_t t = 0; t < count; t++)
        irc_widen(&spans[t], rows + t * x_stride + start, length, zero != NULL);
      irc_add_down(lanes, rows, x_stride, count, down, start, length);
    }
    for (size_t t = 0; t < count; t++)
      scale[first + t] = irc_quantize_token(
        codes + (first + t) * code_stride, code_stride, zero ? zero + first + t : NULL,
        rows + t * x_stride, n, bits, spans[t]);
    irc_sum_down(hidden + first * hidden_stride, hidden_stride, lanes, count, down->out);
  }
}

IRC_CLONES void IRC_NAME(quantize_static_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT hidden,
  size_t hidden_stride, const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down,
  size_t tokens, float scale, int32_t zero, int32_t low, int32_t high,
  void *IRC_RESTRICT scratch) {
  float *lanes = (float *)scratch;
  irc_code_range range = {low, high};
  float r = irc_reciprocal(scale);
  size_t n = down->in, count;
  for (size_t first = 0; first < tokens; first += count) {
    count = irc_least(tokens - first, IRC_DOWN_TOKENS);
    const float *rows = x + first * x_stride;
    irc_clear_down(lanes, down->out);
    for (size_t start = 0; start < n; start += IRC_PIECE) {
      size_t length = irc_least(n - start, IRC_PIECE);
      for (size_t t = 0; t < count; t++)
        irc_quantize(
          codes + (first + t) * code_stride + start, rows + t * x_stride + start, length, r, zero,
          range);
      irc_add_down(lanes, rows, x_stride, count, down, start, length);
    }
    for (size_t t = 0; t < count; t++)
      irc_pad_codes(codes + (first + t) * code_stride, n, code_stride);
    irc_sum_down(hidden + first * hidden_stride, hidden_stride, lanes, count, down->out);
  }
}

IRC_CLONES void IRC_NAME(linear_q_i8_up)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch) {
  float *room = (float *)scratch + 4 * irc_padded(w->in);
  for (size_t o = 0, rows; o < w->out; o += rows) {
    rows = irc_integer_step(
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, (float *)scratch,
      o);
    irc_add_up(y + o, y_stride, hidden, hidden_stride, up, tokens, room, o, rows);
  }
}

IRC_CLONES void IRC_NAME(add_branch)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT room) {
  for (size_t o = 0, rows; o < up->out; o += rows) {
    rows = irc_least(up->out - o, 4);
    irc_add_up(y + o, y_stride, hidden, hidden_stride, up, tokens, (float *)room, o, rows);
  }
}
