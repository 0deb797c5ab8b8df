// A branch of low rank beside an integer product: the narrow product joins the quantizer of the
// activations, the wide one the sums.
#include "kernels_integer.h"
#include "kernels_sets.h"

// Columns that are multiplied while they lie in the first-level cache: a multiple of IRC_LANES.
enum { IRC_DOWN_COLUMNS = 256 };

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
    float room[4 * IRC_DOWN_COLUMNS];
    const float *w = room;
    size_t stride = IRC_DOWN_COLUMNS;
    if (!down->is_half && o + 4 <= down->out) {
      w = (const float *)down->values + o * down->in + start;
      stride = down->in;
    } else {
      // Behind the last row comes that row again; what it gives is left where it is.
      for (size_t r = 0; r < 4; r++) {
        size_t row = o + r < down->out ? o + r : down->out - 1;
        irc_real_piece(room + r * IRC_DOWN_COLUMNS, down, row * down->in + start, n);
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

#define IRC_DOWN_KERNEL IRC_CLONES
#define IRC_DOWN_OF_SET(name) IRC_NAME(name)
#define IRC_DOWN(name) irc_##name
#define IRC_DOWN_QUANTIZE(codes, x, n, r, zero, low, high) \
  irc_quantize(codes, x, n, r, zero, (irc_code_range){low, high})
#include "kernels_branch_down.h"

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
    rows = up->out - o < 4 ? up->out - o : 4;
    irc_add_up(y + o, y_stride, hidden, hidden_stride, up, tokens, (float *)room, o, rows);
  }
}
