// Fast Hadamard transforms of rows in vectors of sixteen lanes: the additions of kernels_hadamard.h in
// their order. With sixteen vectors in registers the eight stages of the least distances take one pass
// over the row, and of order 4096 the four others a second one; the scale and the signs join the passes.
#include "kernels_vector_quantize.h"

#define IRC_V_BUTTERFLY(i, j)             \
  do {                                    \
    irc_v left = v[i], right = v[j];      \
    v[i] = irc_v_add(left, right);        \
    v[j] = irc_v_sub(left, right);        \
  } while (0)
#define IRC_V_BUTTERFLIES2(i) IRC_V_BUTTERFLY(i, (i) + 1)
#define IRC_V_BUTTERFLIES4(i)       \
  do {                              \
    IRC_V_BUTTERFLY(i, (i) + 2);    \
    IRC_V_BUTTERFLY((i) + 1, (i) + 3); \
    IRC_V_BUTTERFLIES2(i);          \
    IRC_V_BUTTERFLIES2((i) + 2);    \
  } while (0)
#define IRC_V_BUTTERFLIES8(i)          \
  do {                                 \
    IRC_V_BUTTERFLY(i, (i) + 4);       \
    IRC_V_BUTTERFLY((i) + 1, (i) + 5); \
    IRC_V_BUTTERFLY((i) + 2, (i) + 6); \
    IRC_V_BUTTERFLY((i) + 3, (i) + 7); \
    IRC_V_BUTTERFLIES4(i);             \
    IRC_V_BUTTERFLIES4((i) + 4);       \
  } while (0)

// Distances count / 2 ... 1 among so many vectors: 1, 2, 4, 8 or 16.
IRC_VECTOR void irc_v_butterflies(irc_v *v, size_t count) {
  if (count == 16) {
    IRC_V_BUTTERFLY(0, 8);
    IRC_V_BUTTERFLY(1, 9);
    IRC_V_BUTTERFLY(2, 10);
    IRC_V_BUTTERFLY(3, 11);
    IRC_V_BUTTERFLY(4, 12);
    IRC_V_BUTTERFLY(5, 13);
    IRC_V_BUTTERFLY(6, 14);
    IRC_V_BUTTERFLY(7, 15);
    IRC_V_BUTTERFLIES8(0);
    IRC_V_BUTTERFLIES8(8);
  } else if (count == 8) {
    IRC_V_BUTTERFLIES8(0);
  } else if (count == 4) {
    IRC_V_BUTTERFLIES4(0);
  } else if (count == 2) {
    IRC_V_BUTTERFLIES2(0);
  }
}

// What happens to numbers on their way into the first pass, and out of the last one.
typedef struct irc_v_factors {
  float scale;
  const uint32_t *before, *after;  // signs, or NULL
  const float *next;               // the numbers that come after these, wanted in the cache, or NULL
} irc_v_factors;

IRC_VECTOR irc_v irc_v_signs_at(irc_v v, const uint32_t *signs, size_t at) {
  return signs ? irc_v_signed(v, signs + at / 512 * 16, (int)(at / 16 % 32)) : v;
}

// The stages of distances radix / 2 * near ... near of n numbers, from x into y, which may be x.
IRC_VECTOR void irc_v_pass(
  float *y, const float *x, size_t n, size_t near, size_t radix, const irc_v_factors *by) {
  for (size_t start = 0; start < n; start += radix * near)
    for (size_t j = start; j < start + near; j += IRC_LANES) {
      irc_v v[16];
      IRC_UNROLL for (size_t k = 0; k < radix; k++) {
        v[k] = irc_v_load(x + j + k * near);
        if (!by) continue;
        v[k] = irc_v_signs_at(irc_v_mul(v[k], irc_v_set(by->scale)), by->before, j + k * near);
        if (by->next) irc_v_prefetch(by->next + j + k * near);
      }
      irc_v_butterflies(v, radix);
      IRC_UNROLL for (size_t k = 0; k < radix; k++) irc_v_store(y + j + k * near, v[k]);
    }
}

// The stages of distances radix / 2 * 16 ... 1 of n numbers. `is_first` and `is_signed` say what of `by`
// applies, and are known when this is compiled.
IRC_VECTOR void irc_v_last_pass(
  float *y, const float *x, size_t n, size_t radix, const irc_v_factors *by, bool is_first,
  bool is_signed) {
  for (size_t start = 0; start < n; start += radix * IRC_LANES) {
    irc_v v[16];
    IRC_UNROLL for (size_t k = 0; k < radix; k++) {
      size_t at = start + k * IRC_LANES;
      v[k] = irc_v_load(x + at);
      if (is_first) v[k] = irc_v_signs_at(irc_v_mul(v[k], irc_v_set(by->scale)), by->before, at);
    }
    irc_v_butterflies(v, radix);
    IRC_UNROLL for (size_t k = 0; k < radix; k++) {
      size_t at = start + k * IRC_LANES;
      v[k] = irc_v_butterflies_within(v[k]);
      irc_v_store(y + at, is_signed ? irc_v_signs_at(v[k], by->after, at) : v[k]);
    }
  }
}

// Each run of `power` numbers, a power of two from 16 on, times Sylvester's matrix: x -> y. Every pass that
// there can be is compiled for itself.
IRC_VECTOR void irc_v_sylvester(
  float *y, const float *x, size_t n, size_t power, const irc_v_factors *by) {
  size_t block = IRC_V_RADIX * IRC_LANES, radix = power / block, near = power;
  if (power < block) {
#if IRC_V_RADIX > 4
    if (power == 8 * IRC_LANES) irc_v_last_pass(y, x, n, 8, by, true, true);
    if (power == 4 * IRC_LANES) irc_v_last_pass(y, x, n, 4, by, true, true);
#endif
    if (power == 2 * IRC_LANES) irc_v_last_pass(y, x, n, 2, by, true, true);
    if (power == IRC_LANES) irc_v_last_pass(y, x, n, 1, by, true, true);
    return;
  }
  if (power == block) {
    irc_v_last_pass(y, x, n, IRC_V_RADIX, by, true, true);
    return;
  }
  // The first pass has the stages that do not fill one, so that all others are full.
  while (radix > IRC_V_RADIX) radix /= IRC_V_RADIX;
  near /= radix;
  if (radix == IRC_V_RADIX) irc_v_pass(y, x, n, near, IRC_V_RADIX, by);
#if IRC_V_RADIX > 4
  if (radix == 8) irc_v_pass(y, x, n, near, 8, by);
  if (radix == 4) irc_v_pass(y, x, n, near, 4, by);
#endif
  if (radix == 2) irc_v_pass(y, x, n, near, 2, by);
  for (; near > block; near /= IRC_V_RADIX)
    irc_v_pass(y, y, n, near / IRC_V_RADIX, IRC_V_RADIX, NULL);
  if (by->after)
    irc_v_last_pass(y, y, n, IRC_V_RADIX, by, false, true);
  else
    irc_v_last_pass(y, y, n, IRC_V_RADIX, by, false, false);
}

// A run of h->order numbers: x -> y, which may be x.
IRC_SHARED void irc_v_hadamard_run(
  float *y, const float *x, const float *next, const irc_hadamard *h,
  float *IRC_RESTRICT scratch) {
  irc_v_factors by = {(float)h->scale, h->signs_before, h->signs_after, next};
  if (h->power < IRC_LANES) {
    irc_hadamard_rows_f32(y, x, h->order, 1, h->order, h, scratch);
    return;
  }
  if (h->bases > 0) {
    irc_hadamard_scaled_f32(y, x, h->signs_before, h->order, by.scale);
    irc_hadamard_bases_f32(y, 1, h, scratch);
    by.scale = 1.0f, by.before = NULL, x = y;
  }
  irc_v_sylvester(y, x, h->order, h->power, &by);
}

IRC_KERNEL void IRC_OF_SET(hadamard_f32)(
  float *y, const float *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  float *IRC_RESTRICT scratch) {
  for (size_t r = 0; r < rows; r++, x += x_stride)
    for (size_t start = 0; start < n; start += h->order)
      irc_v_hadamard_run(
        y + r * n + start, x + start, r + 1 < rows ? x + x_stride + start : NULL, h, scratch);
}

IRC_KERNEL void IRC_OF_SET(hadamard_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits, const irc_hadamard *h, float *IRC_RESTRICT scratch) {
  float *row = scratch + irc_hadamard_scratch(h);
  for (size_t t = 0; t < tokens; t++, x += x_stride, codes += code_stride) {
    for (size_t start = 0; start < n; start += h->order)
      irc_v_hadamard_run(
        row + start, x + start, t + 1 < tokens ? x + x_stride + start : NULL, h, scratch);
    irc_span span = irc_no_span();
    irc_v_widen(&span, row, n, zero != NULL);
    scale[t] =
      irc_v_quantize_token(codes, code_stride, zero ? zero + t : NULL, row, n, bits, span);
  }
}
