// The kernels: plain C11, no allocation, no globals, no dependency beyond libm.
//
// Every matrix is row-major. A strided input is followed by its stride: the distance, in elements,
// from one row (token) to the next, so a slice of a wider matrix needs no copy. Outputs are dense
// unless a stride is given. Results do not depend on the number of tokens of a call, nor on the
// compiler's instruction set: float reductions run in sixteen lanes that are combined in one fixed
// tree.
#ifndef IRC_KERNELS_H
#define IRC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Two compiled models can live in one program: each defines its own IRC_PREFIX before this header.
#ifndef IRC_PREFIX
#define IRC_PREFIX irc
#endif
#define IRC_JOIN_(prefix, name) prefix##_##name
#define IRC_JOIN(prefix, name) IRC_JOIN_(prefix, name)
#define IRC_NAME(name) IRC_JOIN(IRC_PREFIX, name)

#ifdef __cplusplus
#define IRC_RESTRICT __restrict
#define IRC_STATIC_ASSERT(condition, message) static_assert(condition, message)
extern "C" {
#else
#define IRC_RESTRICT restrict
#define IRC_STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#endif

// ---- Packed weights -----------------------------------------------------------------------------

// Codes are signed integers of 2 to 8 bits, stored in blocks of 32; a row is padded with zero codes
// to whole blocks. A block is made of planes, from the low bits of the codes to the high ones: four
// bits where bits & 4, two where bits & 2, one where bits & 1; eight bits are bytes.
enum { IRC_BLOCK = 32 };

typedef struct irc_block_int8 {
  int8_t codes[32];
} irc_block_int8;

// Byte j: code j in the low four bits, code j + 16 in the high four; two's complement.
typedef struct irc_block_int4 {
  uint8_t nibbles[16];
} irc_block_int4;

typedef struct irc_block_int5 {
  uint8_t nibbles[16];  // the low four bits as in irc_block_int4
  uint8_t high[4];      // bit k of high[j] is bit 4 of code 8 j + k
} irc_block_int5;

typedef struct irc_block_int6 {
  uint8_t nibbles[16];
  uint8_t pairs[8];  // bits 4 and 5 as in irc_block_int2
} irc_block_int6;

typedef struct irc_block_int7 {
  uint8_t nibbles[16];
  uint8_t pairs[8];
  uint8_t high[4];  // bit 6
} irc_block_int7;

// Low two bits as in irc_block_int2; bit k of high[j] is bit 2 of code 8 j + k.
typedef struct irc_block_int3 {
  uint8_t low[8];
  uint8_t high[4];
} irc_block_int3;

// Byte j: codes j, j + 8, j + 16, j + 24, two bits each from low to high; two's complement.
typedef struct irc_block_int2 {
  uint8_t pairs[8];
} irc_block_int2;

IRC_STATIC_ASSERT(sizeof(irc_block_int8) == 32, "an int8 block is 32 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int7) == 28, "an int7 block is 28 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int6) == 24, "an int6 block is 24 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int5) == 20, "an int5 block is 20 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int4) == 16, "an int4 block is 16 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int3) == 12, "an int3 block is 12 bytes");
IRC_STATIC_ASSERT(sizeof(irc_block_int2) == 8, "an int2 block is 8 bytes");

// How scales are stored. E8M0 is a byte e that stands for 2^(e - 127), 255 for a NaN. E4M3 is a byte
// of four bits of exponent (bias 7) and three of mantissa, 0x7f for a NaN, without infinities; it is
// multiplied by tensor_scale.
typedef enum irc_scale_type {
  IRC_SCALE_F32 = 0,
  IRC_SCALE_F16 = 1,
  IRC_SCALE_E8M0 = 2,
  IRC_SCALE_E4M3 = 3
} irc_scale_type;

// What a group has in `scales`, and how a code c (of which the low bits count) is read.
typedef enum irc_code_kind {
  IRC_CODES_SCALED = 0,  // one number, by which what c stands for is multiplied
  IRC_CODES_LISTED = 1,  // 2^bits numbers, one for each code: number c mod 2^bits
  IRC_CODES_SIGNED = 2,  // `bits` factors: from 0 on, factor k is added where bit k of c is set and
                         // subtracted where it is not, k ascending
  IRC_CODES_OFFSET = 3   // the same, from one number more on, which stands behind the factors
} irc_code_kind;

// How many that are.
static inline size_t irc_group_numbers(irc_code_kind kind, uint32_t bits) {
  switch (kind) {
    case IRC_CODES_LISTED:
      return (size_t)1 << bits;
    case IRC_CODES_SIGNED:
      return bits;
    case IRC_CODES_OFFSET:
      return bits + 1;
    default:
      return 1;
  }
}

// How the codes of a matrix lie, and with them its scales and zero points.
//   Rows: row after row, each in blocks of 32 codes as above; scales and zero points are (out, groups).
//   Panels: sixteen rows at a time, the last ones padded with rows of zero codes. A panel is a run of
//   blocks of 16 rows by 32 columns, 64 bytes for each bit of a code; a block has eight steps of four
//   columns. What is stored of a code is its low bits, the highest inverted where there is no table, so
//   that they read as the unsigned number code + 2^(bits - 1). Byte 4 r + c of a plane's vector of 64
//   bytes belongs to row r and column c of its steps:
//     eight bits: vector s is step s;
//     four bits: vector v holds step 2 v in the low halves and step 2 v + 1 in the high ones;
//     two bits: bits 2 f and 2 f + 1 of vector v hold step 4 v + f;
//     one bit: bit s of the one vector is of step s;
//   and planes follow each other from the low bits of the codes to the high ones, as in blocks of rows.
//   Scales and zero points are (out / 16, groups, 16). A group is a multiple of 16 columns, or the row.
typedef enum irc_layout { IRC_LAYOUT_ROWS = 0, IRC_LAYOUT_PANELS = 1 } irc_layout;

enum { IRC_PANEL_ROWS = 16 };

// A quantized matrix (out, in), with g = i / group:
//   w[o, i] = (code[o, i] - zero[o, g]) * scale[o, g], or, where there is a table of values,
//   w[o, i] = values[code[o, i] mod 2^bits] * scale[o, g], or, of other kinds, as they say.
typedef struct irc_packed_weights {
  const void *codes;    // out times row_bytes, as the layout says
  const void *scales;   // (out, groups, irc_group_numbers) of scale_type, or as the layout says
  const int8_t *zeros;  // (out, groups), or as the layout says; NULL: all zero
  uint32_t bits;        // 2 ... 8
  irc_scale_type scale_type;
  size_t out, in;
  size_t group;      // columns that share a scale; never 0
  size_t groups;     // per row; 0, of kinds without a scale: all rows have one group together
  size_t row_bytes;  // irc_packed_row_bytes(in, bits)
  const float *values;        // (2^bits); NULL: codes are integers
  const float *tensor_scale;  // one number, with scales of E4M3 only
  irc_code_kind kind;
  irc_layout layout;     // panels: of the first kind only
  const int8_t *levels;  // (2^bits), with values[c] = levels[c] * level_step; NULL: there are none
  float level_step;      // a power of two
} irc_packed_weights;

// The bytes of a block of 32 codes: 4 for each bit.
static inline size_t irc_block_bytes(uint32_t bits) { return 4 * (size_t)bits; }

// The codes of a row with its padding.
static inline size_t irc_padded(size_t n) { return (n + IRC_BLOCK - 1) / IRC_BLOCK * IRC_BLOCK; }

// How far apart the codes of two tokens of n activations lie best: whole blocks, and no multiple of 2048
// bytes, with which the lines of sixteen tokens would share a few sets of a first-level cache.
static inline size_t irc_code_stride(size_t n) {
  size_t padded = irc_padded(n);
  return padded % 2048 == 0 ? padded + 64 : padded;
}

static inline size_t irc_packed_row_bytes(size_t n, uint32_t bits) {
  return irc_padded(n) / IRC_BLOCK * irc_block_bytes(bits);
}

static inline size_t irc_scale_bytes(irc_scale_type type) {
  return type == IRC_SCALE_F32 ? 4 : type == IRC_SCALE_F16 ? 2 : 1;
}

// The rows that codes are stored of: in panels, whole ones.
static inline size_t irc_stored_rows(size_t out, irc_layout layout) {
  return layout == IRC_LAYOUT_PANELS ? (out + IRC_PANEL_ROWS - 1) / IRC_PANEL_ROWS * IRC_PANEL_ROWS
                                     : out;
}

// Where the scale of a row's group is, counted in groups, and how far it is to the next group's.
static inline size_t irc_group_index(const irc_packed_weights *w, size_t row) {
  return w->layout == IRC_LAYOUT_PANELS
    ? row / IRC_PANEL_ROWS * w->groups * IRC_PANEL_ROWS + row % IRC_PANEL_ROWS
    : row * w->groups;
}

static inline size_t irc_group_step(const irc_packed_weights *w) {
  return w->layout == IRC_LAYOUT_PANELS ? IRC_PANEL_ROWS : 1;
}

// The rows `first ..< first + count` of `w`, for splitting a product over threads. In panels `first`
// is a multiple of 16.
static inline irc_packed_weights irc_packed_rows(irc_packed_weights w, size_t first, size_t count) {
  w.codes = (const uint8_t *)w.codes + first * w.row_bytes;
  w.scales = (const uint8_t *)w.scales
    + first * w.groups * irc_group_numbers(w.kind, w.bits) * irc_scale_bytes(w.scale_type);
  if (w.zeros) w.zeros += first * w.groups;
  w.out = count;
  return w;
}

// Bytes of `scratch`, aligned as float, that linear_f16, linear_q_f32 and linear_q_i8 of this many
// columns need per call: four panels of bytes (64 a column), what belongs to their groups (three tables of
// 16, with groups of 16) and the sums of groups of some tokens (16 leave room for 64 of them).
static inline size_t irc_linear_scratch_bytes(size_t in) {
  return 128 * irc_padded(in) + 4096;
}

// Real weights (out, in) in the precision that they are stored in.
typedef struct irc_real_weights {
  const void *values;  // IEEE half precision if is_half, else single
  bool is_half;
  size_t out, in;
} irc_real_weights;

// Tokens that the kernels of a branch take at a time.
enum { IRC_DOWN_TOKENS = 8 };

// Bytes of `scratch`, aligned as float, that quantize_*_down need for so many rows of `down`.
static inline size_t irc_down_scratch_bytes(size_t rank) {
  return (rank + 3) / 4 * 4 * IRC_DOWN_TOKENS * 16 * sizeof(float);
}

// Bytes of room for adding a branch: sixteen rows of `up` beside each other, a row and a token.
static inline size_t irc_branch_room_bytes(size_t rank) {
  return (rank + 15) / 16 * 16 * 18 * sizeof(float);
}

// Bytes of `scratch`, aligned as float, that linear_q_f32_up and linear_q_i8_up need.
static inline size_t irc_up_scratch_bytes(size_t in, size_t rank) {
  return irc_linear_scratch_bytes(in) + irc_branch_room_bytes(rank);
}

// ---- Elementwise --------------------------------------------------------------------------------

// y = exp(x). At most 2 ulp where the result is normal; overflows to inf, underflows to 0, NaN
// passes. Of all functions of this section: (n) -> (n); y may be an input itself, but not overlap
// one otherwise.
void IRC_NAME(exp_f32)(float *y, const float *x, size_t n);

// y = max(x, 0) + log1p(exp(-|x|)). At most 3 ulp where the result is normal.
void IRC_NAME(softplus_f32)(float *y, const float *x, size_t n);

// y = 1 / (1 + exp(-x)). At most 3 ulp where the result is normal.
void IRC_NAME(sigmoid_f32)(float *y, const float *x, size_t n);

// y = x / (1 + exp(-x)). At most 3 ulp for x >= -87, and less than 1e-43 off below that; -inf gives
// NaN.
void IRC_NAME(silu_f32)(float *y, const float *x, size_t n);

void IRC_NAME(negate_f32)(float *y, const float *x, size_t n);
void IRC_NAME(add_f32)(float *y, const float *a, const float *b, size_t n);
void IRC_NAME(mul_f32)(float *y, const float *a, const float *b, size_t n);

// The same over rows of slices: (rows, n) with strides -> (rows, n) dense. y must not overlap an
// input, except that it may be a dense input itself.
void IRC_NAME(silu_rows_f32)(float *y, const float *x, size_t x_stride, size_t rows, size_t n);
void IRC_NAME(softplus_rows_f32)(float *y, const float *x, size_t x_stride, size_t rows, size_t n);
// y = x / (1 + exp(-(x * scale))), `scale` being (n), the same for all rows. The bound of silu_f32
// holds for the quotient; the product is rounded once before.
void IRC_NAME(scaled_silu_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *scale, size_t rows, size_t n);
// y = x / divisor, `divisor` being (n), the same for all rows.
void IRC_NAME(div_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *divisor, size_t rows, size_t n);
void IRC_NAME(add_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride,
  size_t rows, size_t n);
void IRC_NAME(mul_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride,
  size_t rows, size_t n);

// Exact conversion of IEEE half precision; NaNs come out quiet.
void IRC_NAME(f16_to_f32)(float *IRC_RESTRICT y, const uint16_t *IRC_RESTRICT x, size_t n);

// ---- Rows ---------------------------------------------------------------------------------------

// y = x * (1 / sqrt(mean(x * x) + eps)) * gain, row by row: (rows, n) -> (rows, n).
// `gain` is (n), or NULL for ones. y may be x itself when x is dense.
void IRC_NAME(rms_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, size_t rows, size_t n, float eps);

// y = (x - m) * (1 / sqrt(mean((x - m) * (x - m)) + eps)) * gain + bias, row by row, m = mean(x):
// (rows, n) -> (rows, n). `gain` and `bias` are (n), or NULL for ones and zeros.
// y may be x itself when x is dense.
void IRC_NAME(layer_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, const float *bias, size_t rows,
  size_t n, float eps);

// A dense factor of a Hadamard matrix H of +1 and -1: bit a % 32 of signs[b * words + a / 32], with
// words = (order + 31) / 32, is set where H[a, b] is -1. The order is a multiple of 4.
typedef struct irc_hadamard_base {
  size_t order;
  const uint32_t *signs;
} irc_hadamard_base;

// A matrix R = D1 H D2 * scale, H the Kronecker product of the bases, outermost first, and of
// Sylvester's matrix of order `power`; D1 and D2 are signs: number i is negated where bit
// i / 16 % 32 of the word i / 512 * 16 + i % 16 is set. NULL: no signs.
typedef struct irc_hadamard {
  size_t order;  // of R: the product of the bases' orders and of `power`
  size_t power;  // a power of two, perhaps 1
  size_t bases;
  const irc_hadamard_base *base;
  const uint32_t *signs_before, *signs_after;
  double scale;
} irc_hadamard;

// Numbers that the `scratch` of hadamard_f32 holds.
static inline size_t irc_hadamard_scratch(const irc_hadamard *h) {
  size_t most = 0;
  for (size_t i = 0; i < h->bases; i++) most = h->base[i].order > most ? h->base[i].order : most;
  return most == 0 ? 0 : 32 * most + 4096;
}

// Numbers that the `scratch` of hadamard_tokens_i8 holds.
static inline size_t irc_hadamard_tokens_scratch(const irc_hadamard *h, size_t n) {
  return irc_hadamard_scratch(h) + irc_padded(n);
}

// Every run of h->order numbers of a row times R: (rows, n) -> (rows, n), n a multiple of the order.
// Additions and one multiplication by the scale, before them, in an order that does not depend on
// the instruction set. y may be x itself when x is dense.
void IRC_NAME(hadamard_f32)(
  float *y, const float *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  float *IRC_RESTRICT scratch);

// y[t] = table[ids[t]]: (tokens) -> (tokens, n). The caller has checked that every id is a row.
void IRC_NAME(embedding_f32)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const float *IRC_RESTRICT table,
  size_t tokens, size_t n);
void IRC_NAME(embedding_f16)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const uint16_t *IRC_RESTRICT table,
  size_t tokens, size_t n);
// The table is (vocabulary, n) = (table->out, table->in).
void IRC_NAME(embedding_q)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const irc_packed_weights *table,
  size_t tokens);

// Row `row` of `w` as floats, (in): what every weights-only product multiplies with.
void IRC_NAME(dequantize_row)(float *IRC_RESTRICT y, const irc_packed_weights *w, size_t row);

// ---- Sequences ----------------------------------------------------------------------------------

// Rotary positions, halves paired: for i < half = head_dim / 2,
//   y[i] = x[i] cos - x[i + half] sin;  y[i + half] = x[i + half] cos + x[i] sin,
// with the angle positions[t] * inverse_frequency[i], taken in double. x is
// (tokens, heads * head_dim), y is dense;
// `inverse_frequency` is (head_dim / 2), head_dim even. y may be x itself when x is dense.
void IRC_NAME(rope_f32)(
  float *y, const float *x, size_t x_stride, const int32_t *positions,
  const double *inverse_frequency, size_t tokens, size_t heads, size_t head_dim);

// Numbers that the `scratch` of attention_f32 holds: the scores of the heads that go together.
static inline size_t irc_attention_scratch(size_t total, size_t heads, size_t kv_heads) {
  size_t share = heads / kv_heads;
  return total * (share < 4 ? share : 4);
}

// Causal attention. q is (tokens, heads * head_dim), k and v are (total, kv_heads * head_dim); y is
// dense like q. Query t sits at position total - tokens + t and sees the keys up to itself, only
// the last `window` of them when window > 0. Query head h reads key head h / (heads / kv_heads).
void IRC_NAME(attention_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride, const float *IRC_RESTRICT k,
  size_t k_stride, const float *IRC_RESTRICT v, size_t v_stride, size_t tokens, size_t total,
  size_t heads, size_t kv_heads, size_t head_dim, float scale, size_t window,
  float *IRC_RESTRICT scratch);

// Numbers that the `scratch` of attention_i8 has room of besides: codes of the queries that go together.
static inline size_t irc_attention_i8_codes(size_t head_dim) {
  return (head_dim + 63) / 64 * 64 * 4 / sizeof(float);
}

// Bytes of `scratch`, aligned as float, that attention_i8 needs.
static inline size_t irc_attention_i8_scratch_bytes(
  size_t total, size_t heads, size_t kv_heads, size_t head_dim) {
  return (irc_attention_scratch(total, heads, kv_heads) + irc_attention_i8_codes(head_dim))
    * sizeof(float);
}

// The same over a cache of codes: k and v are (total, kv_heads * head_dim), as quantize_tokens_i8
// makes them of 8 bits without zero points, with a scale for every token and key head:
// k_scale[j * scale_stride + head], v_scale alike. Each head of a query is rounded by the same rule,
// to codes with a scale s. The sum of codes is exact, then in this order of float operations
//   score[j] = (float)sum * k_scale[j] * (s * scale);  e[j] = exp(score[j] - the largest score);
//   y[i] = (the sum over j ascending of (e[j] * v_scale[j]) * (float)v[j, i]) / sum of e,
// the sum of e in lanes by the place of j in the window. head_dim is at most 2^17.
void IRC_NAME(attention_i8)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window, void *IRC_RESTRICT scratch);

// Depthwise causal convolution:
//   y[t, c] = bias[c] + sum over k of weight[c, k] * x[t - (width - 1) + k, c].
// x is (tokens, channels), y dense; weight (channels, width); bias (channels) or NULL.
// `state` is (width - 1, channels), the previous inputs, oldest first; `next_state` receives those
// after this call and may be `state` itself. y must not overlap an input.
void IRC_NAME(causal_conv_f32)(
  float *IRC_RESTRICT y, float *next_state, const float *IRC_RESTRICT x, size_t x_stride,
  const float *state, const float *IRC_RESTRICT weight, const float *bias, size_t tokens,
  size_t channels, size_t width);

// Selective state space, token by token and channel by channel, h (channels, states) updated in
// place:
//   h[n] = exp(delta * a[n]) * h[n] + (delta * u) * b[n];  y = sum over n of c[n] * h[n] + d * u.
// u, delta (tokens, channels); a (channels, states), negative; b, c (tokens, states); d (channels);
// y (tokens, channels) dense, and must not overlap an input.
void IRC_NAME(selective_scan_f32)(
  float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u, size_t u_stride,
  const float *IRC_RESTRICT delta, size_t delta_stride, const float *IRC_RESTRICT a,
  const float *IRC_RESTRICT b, size_t b_stride, const float *IRC_RESTRICT c, size_t c_stride,
  const float *IRC_RESTRICT d, size_t tokens, size_t channels, size_t states);

// ---- Linear -------------------------------------------------------------------------------------

// y = x @ w^T + bias: (tokens, in) @ (out, in)^T -> (tokens, out). `bias` is (out) or NULL; y has a
// stride so that threads can share the rows of w. Lane j of a dot product sums, in order, the
// columns i with i % 16 == j; then lanes j and j + 8, j and j + 4, j and j + 2, 0 and 1 are added.
void IRC_NAME(linear_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const float *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out);

// The same with weights in half precision; `scratch`: irc_linear_scratch_bytes(in).
void IRC_NAME(linear_f16)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const uint16_t *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in, size_t out,
  void *IRC_RESTRICT scratch);

// The same with quantized weights, each dequantized as irc_packed_weights says.
void IRC_NAME(linear_q_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch);

// Integer product of quantized activations and integer codes or levels (one scale a group). Per group g
//   sum_g = the sum of (code - zero_g) * (x - x_zero), or of levels[code] * (x - x_zero), an exact integer,
// and then, exactly in this order of float operations,
//   acc = 0;  acc = acc + (float)sum_g * scale_g for g ascending;  y = acc * x_scale (+ bias),
// scale_g being multiplied by level_step before, where there are levels.
// `x` is (tokens, x_stride) with x_stride >= irc_padded(in) and the padding zero, as the quantizers
// below leave it. Token t has the scale x_scale[t * x_scale_stride] and the zero point
// x_zero[t * x_scale_stride] (in -128...127; NULL: zero): stride 0 shares one, 1 has one per token.
void IRC_NAME(linear_q_i8)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens, void *IRC_RESTRICT scratch);

// ---- Activation quantizers ----------------------------------------------------------------------

// Codes of `bits` (2...8) signed bits with one scale per token: (tokens, n) -> (tokens,
// code_stride), n codes, then zeros up to code_stride. The contract, shared with the encoder of
// weights:
//   symmetric (zero == NULL): scale = absmax / 127 and codes in -127...127 for 8 bits; below that
//     scale = absmax / (2^(bits-1) - 0.5) and codes in -2^(bits-1)...2^(bits-1)-1.
//   asymmetric: lo = min(x, 0), hi = max(x, 0), scale = (hi - lo) / (2^bits - 1),
//     zero = clamp(rint(low - lo / scale)), codes in low = -2^(bits-1) ... 2^(bits-1)-1.
//   r = 1 / scale in float; code = clamp(rint(x * r) + zero), rounding half to even.
//   If r is not finite (all zero, or nothing but tiny subnormals) scale, zero and codes are 0.
//   If the scale is infinite (an infinity among x, or hi - lo overflows) r, zero and codes are 0.
//   A NaN has no part in the range, and its code is the zero point.
void IRC_NAME(quantize_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits);

// The same with a given scale and zero point: code = clamp(rint(x * (1 / scale)) + zero, low,
// high), where -128 <= low <= zero <= high <= 127. If 1 / scale is not finite, every code is the
// zero point.
void IRC_NAME(quantize_static_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const float *IRC_RESTRICT x, size_t x_stride,
  size_t tokens, size_t n, float scale, int32_t zero, int32_t low, int32_t high);

// hadamard_f32, then quantize_tokens_i8 of its rows, which never leave the cache; the same bits as
// both give.
void IRC_NAME(hadamard_tokens_i8)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, const float *IRC_RESTRICT x, size_t x_stride, size_t tokens, size_t n,
  uint32_t bits, const irc_hadamard *h, float *IRC_RESTRICT scratch);

// ---- Branches of low rank -----------------------------------------------------------------------

// Beside a product with quantized weights, up @ (down @ x) in real numbers. The number of columns
// is down->in, the rank down->out = up->in.

// quantize_tokens_i8 and linear_f32 (or linear_f16) without bias of the same x, in one go; the same
// bits as both give: codes (tokens, code_stride), hidden (tokens, rank).
void IRC_NAME(quantize_tokens_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, float *IRC_RESTRICT hidden, size_t hidden_stride,
  const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down, size_t tokens,
  uint32_t bits, void *IRC_RESTRICT scratch);

// The same of quantize_static_i8.
void IRC_NAME(quantize_static_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT hidden,
  size_t hidden_stride, const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down,
  size_t tokens, float scale, int32_t zero, int32_t low, int32_t high,
  void *IRC_RESTRICT scratch);

// What linear_q_f32 and linear_q_i8 compute, bias included, plus hidden @ up^T, summed as
// linear_f32 sums and added last: (tokens, in), (tokens, rank) -> (tokens, out).
void IRC_NAME(linear_q_f32_up)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,
  size_t hidden_stride, const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch);
void IRC_NAME(linear_q_i8_up)(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w,
  const float *bias, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch);

// ---- The table ----------------------------------------------------------------------------------

// The kernels worth tuning for an instruction set, so that a program can choose once.
// Each has the type of the function of its name.
#define IRC_ENTRY(name) __typeof__(IRC_NAME(name)) *name
typedef struct irc_kernels {
  const char *name;
  IRC_ENTRY(linear_f32);
  IRC_ENTRY(linear_f16);
  IRC_ENTRY(linear_q_f32);
  IRC_ENTRY(linear_q_i8);
  IRC_ENTRY(quantize_tokens_i8);
  IRC_ENTRY(quantize_static_i8);
  IRC_ENTRY(quantize_tokens_down);
  IRC_ENTRY(quantize_static_down);
  IRC_ENTRY(linear_q_f32_up);
  IRC_ENTRY(linear_q_i8_up);
  IRC_ENTRY(exp_f32);
  IRC_ENTRY(negate_f32);
  IRC_ENTRY(silu_rows_f32);
  IRC_ENTRY(softplus_rows_f32);
  IRC_ENTRY(scaled_silu_rows_f32);
  IRC_ENTRY(div_rows_f32);
  IRC_ENTRY(add_rows_f32);
  IRC_ENTRY(mul_rows_f32);
  IRC_ENTRY(rms_norm_f32);
  IRC_ENTRY(layer_norm_f32);
  // NULL in a program that leaves these kernels out.
  IRC_ENTRY(attention_f32);
  IRC_ENTRY(attention_i8);
  IRC_ENTRY(causal_conv_f32);
  IRC_ENTRY(selective_scan_f32);
  IRC_ENTRY(hadamard_f32);
  IRC_ENTRY(hadamard_tokens_i8);
} irc_kernels;
#undef IRC_ENTRY

// Kernels that run everywhere.
const irc_kernels *IRC_NAME(kernels_portable)(void);

// Those for an instruction set; NULL where the processor does not have it, or the system or the compiler.
// For AMX this asks the system for the process's permission to use it.
const irc_kernels *IRC_NAME(kernels_avx2)(void);
const irc_kernels *IRC_NAME(kernels_avx512_vnni)(void);
const irc_kernels *IRC_NAME(kernels_amx)(void);
const irc_kernels *IRC_NAME(kernels_neon_dotprod)(void);
const irc_kernels *IRC_NAME(kernels_neon_i8mm)(void);

// The fastest that the processor has. All sets give the same bits.
const irc_kernels *IRC_NAME(kernels_best)(void);

#ifdef __cplusplus
}
#endif
#endif
