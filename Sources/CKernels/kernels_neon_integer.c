// The integer product for AArch64: four products of signed bytes a lane (dotprod), or products of
// matrices of two rows by eight columns (i8mm). Codes are made signed bytes v = w + offset: of
// fewer than eight bits they are used as they are stored, of eight with the highest bit inverted,
// and levels come out of a table. A sum over a group is
//   sum (w - z) (x - x_z) = sum v x - (offset + z) sum x - x_z (sum v - (offset + z) length).
#include "kernels_packed.h"
#include "kernels_sets.h"

#if IRC_ARM

#include <arm_neon.h>

#define IRC_NEON IRC_TARGET_DOTPROD IRC_INLINE

enum {
  IRC_NEON_PIECE = 256,       // columns whose unpacked codes stay in the first-level cache
  IRC_NEON_TOKENS = 64,       // tokens that go through them
  IRC_NEON_TILE = 4,          // tokens that are multiplied side by side
  IRC_NEON_LONGEST = 1 << 15  // columns of a group whose sums cannot leave 32 bits
};

// How the codes of a matrix are read.
typedef struct irc_neon_codes {
  const irc_packed_weights *w;
  int32_t offset;    // v - w
  int32_t padding;   // v behind the last column
  int8_t table[16];  // v of a code, where there are levels
} irc_neon_codes;

// Some columns of a panel in one group.
typedef struct irc_neon_segment {
  size_t group, steps;
  bool begins, ends;
  float scale[16];
  int32_t zero[16];     // of the codes
  int32_t centred[16];  // the sum of v - offset - zero
} irc_neon_segment;

// A token's sum of a group, and what is added to its sum of v x whatever the row.
typedef struct irc_neon_group {
  int32_t added, sum;
} irc_neon_group;

// What is known of some tokens, and of their products with a panel so far.
typedef struct irc_neon_tokens {
  size_t count;
  const int8_t *x;
  size_t x_stride;
  int32_t *shift;         // (count): the zero points
  bool shifts;            // not all are zero
  irc_neon_group *group;  // (count, groups)
  int32_t *sum;           // (count, 16)
  float *acc;             // (count, 16)
} irc_neon_tokens;

// Adds the products of a segment's columns, from `start` on, to the sums of up to four tokens.
typedef void (*irc_neon_multiply)(
  const irc_neon_tokens *tokens, size_t t, size_t count, const int8_t *v, size_t start,
  size_t steps);

// ---- Codes --------------------------------------------------------------------------------------

// Bits `from` and up of a plane at bit `to`, of which `mask` is left.
IRC_NEON uint8x16_t irc_neon_part(const uint8_t *plane, int from, int to, int mask) {
  uint8x16_t moved = vshlq_u8(vld1q_u8(plane), vdupq_n_s8((int8_t)(to - from)));
  return vandq_u8(moved, vdupq_n_u8((uint8_t)(mask << to)));
}

// Columns and rows 4 q ..< 4 q + 4 of step s of a block.
IRC_NEON int8x16_t irc_neon_step(
  const uint8_t *block, const irc_neon_codes *codes, size_t s, size_t q) {
  const uint32_t bits = codes->w->bits;
  const int low = bits & 4;
  block += 16 * q;
  if (bits == 8) return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(block + 64 * s), vdupq_n_u8(128)));
  const uint8_t *pairs = block + (low ? 256 : 0), *singles = pairs + (bits & 2 ? 128 : 0);
  uint8x16_t code = vdupq_n_u8(0);
  if (bits & 4) code = irc_neon_part(block + 64 * (s / 2), 4 * (s % 2), 0, 15);
  if (bits & 2)
    code = vorrq_u8(code, irc_neon_part(pairs + 64 * (s / 4), 2 * (s % 4), low, 3));
  if (bits & 1) code = vorrq_u8(code, irc_neon_part(singles, (int)s, (int)bits - 1, 1));
  if (codes->w->levels) return vqtbl1q_s8(vld1q_s8(codes->table), code);
  return vreinterpretq_s8_u8(code);
}

// Columns start ..< stop of a panel, all in group g, and what belongs to the group: (steps, 16, 4),
// or, for matrices, (steps / 2, 16, 8). `so_far` has the sums of v of a group that has begun
// before. Returns the end of what it wrote.
IRC_TARGET_DOTPROD static int8_t *irc_neon_take(
  int8_t *v, irc_neon_segment *segment, int32_t so_far[16], const irc_neon_codes *codes, size_t o,
  size_t g, size_t start, size_t stop, bool for_matrices) {
  const irc_packed_weights *w = codes->w;
  const uint8_t *panel = (const uint8_t *)w->codes + o * w->row_bytes;
  const size_t first = g * w->group;
  const size_t last = w->in - first > w->group ? first + w->group : w->in;
  segment->group = g;
  segment->steps = (stop - start + 15) / 16 * 4;
  segment->begins = start == first;
  segment->ends = stop == last;
  if (segment->begins) memset(so_far, 0, 16 * sizeof *so_far);
  for (size_t s = start / 4; s < start / 4 + segment->steps; s += 2, v += 128) {
    const uint8_t *block = panel + s / 8 * 64 * w->bits;
    for (size_t q = 0; q < 4; q++) {
      int8x16_t a = irc_neon_step(block, codes, s % 8, q);
      int8x16_t b = irc_neon_step(block, codes, s % 8 + 1, q);
      int32x4_t sum = vdotq_s32(vld1q_s32(so_far + 4 * q), a, vdupq_n_s8(1));
      vst1q_s32(so_far + 4 * q, vdotq_s32(sum, b, vdupq_n_s8(1)));
      if (for_matrices) {
        int32x4_t left = vreinterpretq_s32_s8(a), right = vreinterpretq_s32_s8(b);
        vst1q_s8(v + 32 * q, vreinterpretq_s8_s32(vzip1q_s32(left, right)));
        vst1q_s8(v + 32 * q + 16, vreinterpretq_s8_s32(vzip2q_s32(left, right)));
      } else {
        vst1q_s8(v + 16 * q, a);
        vst1q_s8(v + 64 + 16 * q, b);
      }
    }
  }
  if (!segment->ends) return v;
  const int32_t length = (int32_t)(last - first);
  const int32_t behind = ((length + 15) / 16 * 16 - length) * codes->padding;
  for (size_t r = 0; r < 16; r++) {
    const size_t index = (o / IRC_PANEL_ROWS * w->groups + g) * IRC_PANEL_ROWS + r;
    const float scale = irc_scale_at(w, index);
    segment->scale[r] = w->levels ? scale * w->level_step : scale;
    segment->zero[r] = irc_zero_at(w, index);
    segment->centred[r] = so_far[r] - behind - (codes->offset + segment->zero[r]) * length;
  }
  return v;
}

// ---- Products -----------------------------------------------------------------------------------

IRC_NEON void irc_neon_dot_tile(
  int32_t *sum, const int8_t *v, const int8_t *x, size_t x_stride, size_t steps, size_t count) {
  int32x4_t lanes[IRC_NEON_TILE][4];
  for (size_t t = 0; t < count; t++)
    for (size_t q = 0; q < 4; q++) lanes[t][q] = vld1q_s32(sum + 16 * t + 4 * q);
  for (; steps > 0; steps -= 4, v += 256, x += 16) {
    int8x16_t of_token[IRC_NEON_TILE];
    for (size_t t = 0; t < count; t++) of_token[t] = vld1q_s8(x + t * x_stride);
#define IRC_STEP(s)                                                                             \
  for (size_t q = 0; q < 4; q++) {                                                              \
    int8x16_t rows = vld1q_s8(v + 64 * s + 16 * q);                                             \
    for (size_t t = 0; t < count; t++)                                                          \
      lanes[t][q] = vdotq_laneq_s32(lanes[t][q], rows, of_token[t], s);                         \
  }
    IRC_STEP(0)
    IRC_STEP(1)
    IRC_STEP(2)
    IRC_STEP(3)
#undef IRC_STEP
  }
  for (size_t t = 0; t < count; t++)
    for (size_t q = 0; q < 4; q++) vst1q_s32(sum + 16 * t + 4 * q, lanes[t][q]);
}

IRC_TARGET_DOTPROD static void irc_neon_dot(
  const irc_neon_tokens *tokens, size_t t, size_t count, const int8_t *v, size_t start,
  size_t steps) {
  int32_t *sum = tokens->sum + 16 * t;
  const int8_t *x = tokens->x + t * tokens->x_stride + start;
  if (count == IRC_NEON_TILE) {
    irc_neon_dot_tile(sum, v, x, tokens->x_stride, steps, IRC_NEON_TILE);
    return;
  }
  for (; count > 0; count--, sum += 16, x += tokens->x_stride)
    irc_neon_dot_tile(sum, v, x, tokens->x_stride, steps, 1);
}

// Two tokens at a time; the last of an odd number comes twice, and its second result is left alone.
IRC_TARGET_I8MM static void irc_neon_matrices(
  const irc_neon_tokens *tokens, size_t t, size_t count, const int8_t *v, size_t start,
  size_t steps) {
  for (size_t j = 0; j < count; j += 2) {
    const size_t other = j + 1 < count ? j + 1 : j;
    const int8_t *x = tokens->x + (t + j) * tokens->x_stride + start;
    const int8_t *x_other = tokens->x + (t + other) * tokens->x_stride + start;
    const int8_t *rows = v;
    int32x4_t pair[8];
    for (size_t k = 0; k < 8; k++) pair[k] = vdupq_n_s32(0);
    for (size_t s = 0; s < steps; s += 2, rows += 128, x += 8, x_other += 8) {
      int8x16_t both = vcombine_s8(vld1_s8(x), vld1_s8(x_other));
      for (size_t k = 0; k < 8; k++) pair[k] = vmmlaq_s32(pair[k], vld1q_s8(rows + 16 * k), both);
    }
    int32_t *sum = tokens->sum + 16 * (t + j), *sum_other = tokens->sum + 16 * (t + other);
    for (size_t q = 0; q < 4; q++) {
      int32x4_t one = vuzp1q_s32(pair[2 * q], pair[2 * q + 1]);
      int32x4_t two = vuzp2q_s32(pair[2 * q], pair[2 * q + 1]);
      vst1q_s32(sum + 4 * q, vaddq_s32(vld1q_s32(sum + 4 * q), one));
      if (other == j) continue;
      vst1q_s32(sum_other + 4 * q, vaddq_s32(vld1q_s32(sum_other + 4 * q), two));
    }
  }
}

// Lets the sums of a token's group go into its result.
IRC_NEON void irc_neon_end_group(
  float *IRC_RESTRICT acc, int32_t *IRC_RESTRICT sum, const irc_neon_group *group, int32_t shift,
  const irc_neon_segment *segment) {
  for (size_t q = 0; q < 16; q += 4) {
    int32x4_t whole = vaddq_s32(vld1q_s32(sum + q), vdupq_n_s32(group->added));
    whole = vmlsq_s32(whole, vld1q_s32(segment->zero + q), vdupq_n_s32(group->sum));
    whole = vmlsq_s32(whole, vld1q_s32(segment->centred + q), vdupq_n_s32(shift));
    float32x4_t product = vmulq_f32(vcvtq_f32_s32(whole), vld1q_f32(segment->scale + q));
    vst1q_f32(acc + q, vaddq_f32(vld1q_f32(acc + q), product));
    vst1q_s32(sum + q, vdupq_n_s32(0));
  }
}

// ---- The product --------------------------------------------------------------------------------

// A token's sums of groups.
IRC_NEON void irc_neon_sums(
  irc_neon_group *group, const irc_neon_codes *codes, const int8_t *IRC_RESTRICT x) {
  const irc_packed_weights *w = codes->w;
  for (size_t g = 0, i = 0; g < w->groups; g++) {
    int32x4_t sum = vdupq_n_s32(0);
    const size_t end = w->in - i > w->group ? i + w->group : irc_padded(w->in);
    for (; i < end; i += 16) sum = vdotq_s32(sum, vld1q_s8(x + i), vdupq_n_s8(1));
    group[g].sum = vaddvq_s32(sum);
    group[g].added = -codes->offset * group[g].sum;
  }
}

IRC_NEON void irc_neon_put(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT acc, float x_scale, const float *bias,
  size_t rows) {
  for (size_t r = 0; r < rows; r++) {
    float value = acc[r] * x_scale;
    y[r] = bias ? value + bias[r] : value;
  }
}

IRC_TARGET_DOTPROD static void irc_neon_linear(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t count, void *IRC_RESTRICT scratch, irc_neon_multiply multiply,
  bool for_matrices) {
  irc_neon_codes codes = {.w = w, .offset = w->bits == 8 || w->levels ? 0 : 1 << (w->bits - 1)};
  if (w->levels) memcpy(codes.table, w->levels, (size_t)1 << w->bits);
  codes.padding = w->levels ? w->levels[0] : codes.offset;
  const size_t padded = irc_padded(w->in);
  const size_t longest = padded < IRC_NEON_PIECE ? padded : IRC_NEON_PIECE;
  int8_t *v = (int8_t *)scratch + (64 - (uintptr_t)scratch % 64);
  uint8_t *next = (uint8_t *)v + IRC_PANEL_ROWS * longest;
  const size_t each = 32 * sizeof(float) + sizeof(int32_t) + w->groups * sizeof(irc_neon_group);
  const size_t room = (size_t)((uint8_t *)scratch + irc_linear_scratch_bytes(w->in) - next) / each;
  const size_t most = room < IRC_NEON_TOKENS ? room : IRC_NEON_TOKENS;
  irc_neon_tokens tokens = {.x_stride = x_stride, .sum = (int32_t *)(void *)next};
  tokens.acc = (float *)(void *)(tokens.sum + 16 * most);
  tokens.shift = (int32_t *)(void *)(tokens.acc + 16 * most);
  tokens.group = (irc_neon_group *)(void *)(tokens.shift + most);
  for (size_t first = 0; first < count; first += tokens.count) {
    tokens.count = count - first < most ? count - first : most;
    tokens.x = x + first * x_stride;
    for (size_t t = 0; t < tokens.count; t++) {
      tokens.shift[t] = x_zero ? x_zero[(first + t) * x_scale_stride] : 0;
      irc_neon_sums(tokens.group + t * w->groups, &codes, tokens.x + t * x_stride);
    }
    for (size_t o = 0; o < w->out; o += IRC_PANEL_ROWS) {
      int32_t so_far[16];
      memset(tokens.acc, 0, tokens.count * 16 * sizeof(float));
      memset(tokens.sum, 0, tokens.count * 16 * sizeof(int32_t));
      for (size_t start = 0, stop, g = 0; start < w->in; start = stop) {
        const size_t end = w->in - g * w->group > w->group ? (g + 1) * w->group : w->in;
        stop = end - start < longest ? end : start + longest;
        irc_neon_segment segment;
        irc_neon_take(v, &segment, so_far, &codes, o, g, start, stop, for_matrices);
        for (size_t t = 0; t < tokens.count; t += IRC_NEON_TILE) {
          const size_t left = tokens.count - t;
          multiply(
            &tokens, t, left < IRC_NEON_TILE ? left : IRC_NEON_TILE, v, start, segment.steps);
        }
        if (!segment.ends) continue;
        for (size_t t = 0; t < tokens.count; t++)
          irc_neon_end_group(
            tokens.acc + 16 * t, tokens.sum + 16 * t, tokens.group + t * w->groups + g,
            tokens.shift[t], &segment);
        g++;
      }
      for (size_t t = 0; t < tokens.count; t++)
        irc_neon_put(
          y + (first + t) * y_stride + o, tokens.acc + 16 * t,
          x_scale[(first + t) * x_scale_stride], bias ? bias + o : NULL,
          w->out - o < IRC_PANEL_ROWS ? w->out - o : IRC_PANEL_ROWS);
    }
  }
}

// Whether a matrix is one that irc_neon_linear reads.
static bool irc_neon_reads(const irc_packed_weights *w) {
  const size_t longest = w->group < w->in ? w->group : w->in;
  return w->layout == IRC_LAYOUT_PANELS && longest <= IRC_NEON_LONGEST
    && !(w->levels && w->bits > 4);
}

#define IRC_INTEGER(set, multiply, for_matrices)                                                \
  void IRC_NAME(linear_q_i8_##set)(                                                             \
    float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,      \
    const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,                         \
    const irc_packed_weights *w, const float *bias, size_t tokens,                              \
    void *IRC_RESTRICT scratch) {                                                               \
    if (irc_neon_reads(w))                                                                      \
      irc_neon_linear(                                                                          \
        y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch,    \
        multiply, for_matrices);                                                                \
    else                                                                                        \
      IRC_NAME(linear_q_i8)(                                                                    \
        y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch);   \
  }                                                                                             \
  IRC_DEFINE_INTEGER_UP(set, IRC_TARGET_DOTPROD, add_branch)

IRC_INTEGER(neon_dotprod, irc_neon_dot, false)
IRC_INTEGER(neon_i8mm, irc_neon_matrices, true)

#endif
