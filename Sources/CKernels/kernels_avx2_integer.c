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

#include "kernels_avx2_integer.h"
#include "kernels_avx2_one.h"
#include "kernels_avx2_many.h"

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
