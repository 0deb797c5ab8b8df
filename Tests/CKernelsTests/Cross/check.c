// Compares every set of kernels that this processor can run with the references, bit by bit, on many
// small products. Compiled with the sources of CKernels by CrossTests.swift, for this machine and for
// others; by hand, in Sources/CKernels (qemu-user runs what is built for AArch64):
//   aarch64-linux-gnu-gcc -std=c11 -O2 -static -Iinclude kernels_*.c encode.c encode_pack.c
//     ../../Tests/CKernelsTests/Cross/*.c -lm -o check && qemu-aarch64 -cpu max ./check
// A number as argument multiplies how many products there are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irc_encode.h"
#include "irc_kernels.h"
#include "irc_reference.h"
#include "rows.h"

static uint64_t state = 1;

static uint32_t next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

static size_t below(size_t n) { return next() % n; }
static float real(void) { return (float)((int32_t)below(20001) - 10000) * 0x1p-12f; }

// Memory of exactly that size, so that a sanitizer sees what lies beyond.
static void *take(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p) abort();
  memset(p, 0x55, bytes);
  return p;
}

// What a number of activations or codes is chosen from.
typedef enum spread { EVEN, ENDS, LOWEST, HIGHEST, MOSTLY_LOWEST, SPREADS } spread;

static int8_t chosen(spread kind, int32_t low, int32_t high) {
  int32_t any = low + (int32_t)below((size_t)(high - low + 1));
  switch (kind) {
    case ENDS: return (int8_t)(next() % 2 ? low : high);
    case LOWEST: return (int8_t)low;
    case HIGHEST: return (int8_t)high;
    case MOSTLY_LOWEST: return (int8_t)(next() % 4 ? low : any);
    default: return (int8_t)any;
  }
}

typedef enum meaning { CODES, CODES_WITH_ZEROS, LEVELS, FEW_LEVELS, VALUES, MEANINGS } meaning;

// A matrix in panels or rows, and a product with it.
typedef struct product {
  irc_packed_weights w;
  float values[256];
  int8_t levels[256];
  float tensor_scale;
  size_t tokens, x_stride, real_stride, y_stride, x_scale_stride, rank, hidden_stride;
  int8_t *x;
  float *real_x, *x_scale, *bias, *hidden;
  int32_t *x_zero;
  irc_real_weights up;
  void *scratch;
} product;

// With more than `LONG` columns they are exactly so many: in one group if the codes have eight bits, so that sums
// are long, else in groups of sixteen, so that tables are, and for so many tokens that all sets unpack panels.
enum { LONG = 2000 };

static product make(uint32_t bits, meaning means, irc_layout layout, size_t most) {
  static const size_t widths[] = {16, 32, 48, 64, 80, 128, 256, 512};
  product p = {.tensor_scale = 0.75f, .tokens = next() % 3 ? 1 + below(9) : 1 + below(70)};
  const bool is_table = means >= LEVELS, is_long = most > LONG, is_full = is_long && bits < 8;
  if (is_long || next() % 4 == 0) p.tokens = 1 + below(is_long ? 3 : 1) + (is_full ? 20 : 0);
  const size_t out = 1 + below(is_long ? 5 : 70);
  const size_t in = is_long ? most : 1 + below(next() % 4 ? 300 : most);
  irc_packed_weights *w = &p.w;
  w->bits = bits, w->out = out, w->in = in, w->layout = layout;
  w->group = !is_long && next() % 3 ? widths[below(8)] : in;
  if (is_full) w->group = 16;
  if (w->group > in) w->group = in;
  w->groups = irc_group_count(in, w->group);
  w->row_bytes = irc_packed_row_bytes(in, bits);
  const size_t rows = irc_stored_rows(out, layout);

  const int32_t low = -(1 << (bits - 1)), high = -low - 1;
  const spread kind = (spread)below(SPREADS);
  int8_t *codes = take(out * in);
  for (size_t i = 0; i < out * in; i++) codes[i] = chosen(kind, low, high);
  void *packed = take(rows * w->row_bytes);
  if (layout == IRC_LAYOUT_PANELS)
    IRC_NAME(pack_panels)(packed, codes, in, out, in, bits, is_table);
  else
    IRC_NAME(pack_rows)(packed, codes, in, out, in, bits);
  free(codes);
  w->codes = packed;

  w->scale_type = (irc_scale_type)below(4);
  const size_t size = irc_scale_bytes(w->scale_type), count = out * w->groups;
  uint8_t *scales = take(rows * w->groups * size), *plain = take(count * size);
  for (size_t i = 0; i < count; i++) {
    float scale = (float)(1 + below(1000)) * 0x1p-9f;
    uint16_t half = (uint16_t)(0x2000 + below(0x2000));
    if (w->scale_type == IRC_SCALE_F32) memcpy(plain + 4 * i, &scale, 4);
    if (w->scale_type == IRC_SCALE_F16) memcpy(plain + 2 * i, &half, 2);
    if (w->scale_type == IRC_SCALE_E8M0) plain[i] = (uint8_t)(110 + below(30));
    if (w->scale_type == IRC_SCALE_E4M3) plain[i] = (uint8_t)below(127);
  }
  if (layout == IRC_LAYOUT_PANELS)
    IRC_NAME(interleave_groups)(scales, plain, out, w->groups, size);
  else
    memcpy(scales, plain, count * size);
  free(plain);
  w->scales = scales;

  if (means == CODES_WITH_ZEROS) {
    int8_t *zeros = take(rows * w->groups), *plain_zeros = take(count);
    for (size_t i = 0; i < count; i++) plain_zeros[i] = chosen(EVEN, low, high);
    if (layout == IRC_LAYOUT_PANELS)
      IRC_NAME(interleave_groups)(zeros, plain_zeros, out, w->groups, 1);
    else
      memcpy(zeros, plain_zeros, count);
    free(plain_zeros);
    w->zeros = zeros;
  }
  const size_t span = means == FEW_LEVELS ? 1 + below(40) : 256;
  const int32_t least = -(int32_t)below(span);
  w->level_step = 0.5f;
  for (size_t k = 0; k < (size_t)1 << bits; k++) {
    int32_t level = least + (int32_t)below(span);
    p.levels[k] = (int8_t)(level < -128 ? -128 : level > 127 ? 127 : level);
    p.values[k] = means == VALUES ? real() : (float)p.levels[k] * w->level_step;
  }

  p.x_stride = irc_padded(in) + (next() % 2 ? 32 : 0);
  p.real_stride = in + below(3), p.y_stride = out + below(4), p.x_scale_stride = below(2);
  p.x = take(p.tokens * p.x_stride);
  p.real_x = take(p.tokens * p.real_stride * sizeof(float));
  for (size_t t = 0; t < p.tokens; t++) {
    const spread of_token = (spread)below(SPREADS);
    for (size_t i = 0; i < p.x_stride; i++)
      p.x[t * p.x_stride + i] = i < in ? chosen(of_token, -128 + (int32_t)(t % 2), 127) : 0;
    for (size_t i = 0; i < p.real_stride; i++) p.real_x[t * p.real_stride + i] = real();
  }
  p.x_scale = take(p.tokens * sizeof(float));
  p.x_zero = take(p.tokens * sizeof(int32_t));
  for (size_t t = 0; t < p.tokens; t++) {
    p.x_scale[t] = real();
    p.x_zero[t] = (int32_t)below(256) - 128;
  }
  if (next() % 3 == 0 && !is_full) memset(p.x_zero, 0, p.tokens * sizeof(int32_t));
  if (next() % 3 == 0 && !is_full) free(p.x_zero), p.x_zero = NULL;
  p.bias = take(out * sizeof(float));
  for (size_t o = 0; o < out; o++) p.bias[o] = real();
  if (next() % 2) free(p.bias), p.bias = NULL;

  p.rank = 1 + below(40), p.hidden_stride = p.rank + below(3);
  p.hidden = take(p.tokens * p.hidden_stride * sizeof(float));
  for (size_t i = 0; i < p.tokens * p.hidden_stride; i++) p.hidden[i] = real();
  float *up = take(out * p.rank * sizeof(float));
  for (size_t i = 0; i < out * p.rank; i++) up[i] = real();
  p.up = (irc_real_weights){up, false, out, p.rank};
  p.scratch = take(irc_up_scratch_bytes(in, p.rank));
  return p;
}

static void drop(product *p) {
  free((void *)(uintptr_t)p->w.codes), free((void *)(uintptr_t)p->w.scales);
  free((void *)(uintptr_t)p->w.zeros), free((void *)(uintptr_t)p->up.values);
  free(p->x), free(p->real_x), free(p->x_scale), free(p->x_zero), free(p->bias), free(p->hidden);
  free(p->scratch);
}

static int failures = 0;

static void compare(
  const char *set, const char *what, const product *p, const float *found, const float *expected) {
  const irc_packed_weights *w = &p->w;
  if (memcmp(found, expected, p->tokens * p->y_stride * sizeof(float)) == 0) return;
  if (failures++ < 10)
    printf(
      "%s: %s differs: %u bits (%zu, %zu), group %zu, %zu tokens%s%s%s%s\n", set, what, w->bits,
      w->out, w->in, w->group, p->tokens, w->zeros ? ", zeros" : "", w->levels ? ", levels" : "",
      p->x_zero ? ", x zeros" : "", w->layout == IRC_LAYOUT_PANELS ? "" : ", rows");
}

static void add_branch(float *y, const product *p, float *room) {
  IRC_NAME(linear_f32_ref)(
    room, p->y_stride, p->hidden, p->hidden_stride, p->up.values, NULL, p->tokens, p->rank,
    p->w.out);
  for (size_t t = 0; t < p->tokens; t++)
    for (size_t o = 0; o < p->w.out; o++)
      y[t * p->y_stride + o] = y[t * p->y_stride + o] + room[t * p->y_stride + o];
}

static void check(
  const irc_kernels *set, product *p, meaning means, const float *integer, const float *quantized,
  const float *integer_up, const float *quantized_up) {
  const size_t bytes = p->tokens * p->y_stride * sizeof(float);
  float *y = take(bytes);
  p->w.values = means >= LEVELS ? p->values : NULL;
  p->w.levels = means == LEVELS || means == FEW_LEVELS ? p->levels : NULL;
  p->w.tensor_scale = &p->tensor_scale;
  if (means != VALUES) {
    set->linear_q_i8(
      y, p->y_stride, p->x, p->x_stride, p->x_scale, p->x_zero, p->x_scale_stride, &p->w, p->bias,
      p->tokens, p->scratch);
    compare(set->name, "linear_q_i8", p, y, integer);
    memset(y, 0x55, bytes);
    set->linear_q_i8_up(
      y, p->y_stride, p->x, p->x_stride, p->x_scale, p->x_zero, p->x_scale_stride, &p->w, p->bias,
      p->hidden, p->hidden_stride, &p->up, p->tokens, p->scratch);
    compare(set->name, "linear_q_i8_up", p, y, integer_up);
    memset(y, 0x55, bytes);
  }
  set->linear_q_f32(
    y, p->y_stride, p->real_x, p->real_stride, &p->w, p->bias, p->tokens, p->scratch);
  compare(set->name, "linear_q_f32", p, y, quantized);
  memset(y, 0x55, bytes);
  set->linear_q_f32_up(
    y, p->y_stride, p->real_x, p->real_stride, &p->w, p->bias, p->hidden, p->hidden_stride, &p->up,
    p->tokens, p->scratch);
  compare(set->name, "linear_q_f32_up", p, y, quantized_up);
  free(y);
}

// The results of the references, and then of each set.
static void try(
  uint32_t bits, meaning means, irc_layout layout, size_t most, const irc_kernels **sets,
  size_t count) {
  product p = make(bits, means, layout, most);
  p.w.values = means >= LEVELS ? p.values : NULL;
  p.w.levels = means == LEVELS || means == FEW_LEVELS ? p.levels : NULL;
  p.w.tensor_scale = &p.tensor_scale;
  const size_t bytes = p.tokens * p.y_stride * sizeof(float);
  float *y[4], *room = take(bytes);
  for (size_t k = 0; k < 4; k++) y[k] = take(bytes);
  if (means != VALUES) {
    IRC_NAME(linear_q_i8_ref)(
      y[0], p.y_stride, p.x, p.x_stride, p.x_scale, p.x_zero, p.x_scale_stride, &p.w, p.bias,
      p.tokens);
    memcpy(y[1], y[0], bytes);
    add_branch(y[1], &p, room);
  }
  IRC_NAME(linear_q_f32_ref)(
    y[2], p.y_stride, p.real_x, p.real_stride, &p.w, p.bias, p.tokens);
  memcpy(y[3], y[2], bytes);
  add_branch(y[3], &p, room);
  for (size_t k = 0; k < count; k++) check(sets[k], &p, means, y[0], y[2], y[1], y[3]);
  for (size_t k = 0; k < 4; k++) free(y[k]);
  free(room);
  drop(&p);
}

// Products with real weights, of sizes that no register divides.
static void try_real(const irc_kernels **sets, size_t count) {
  const size_t tokens = 1 + below(next() % 2 ? 6 : 40), in = 1 + below(300), out = 1 + below(70);
  const size_t x_stride = in + below(3), y_stride = out + below(3);
  float *x = take(tokens * x_stride * sizeof *x), *w = take(out * in * sizeof *w);
  uint16_t *half = take(out * in * sizeof *half);
  float *bias = next() % 2 ? take(out * sizeof *bias) : NULL;
  float *y = take(tokens * y_stride * sizeof *y), *expected = take(tokens * y_stride * sizeof *y);
  void *scratch = take(irc_linear_scratch_bytes(in));
  for (size_t i = 0; i < tokens * x_stride; i++) x[i] = real();
  for (size_t i = 0; i < out * in; i++) w[i] = real();
  for (size_t o = 0; bias && o < out; o++) bias[o] = real();
  IRC_NAME(f32_to_f16)(half, w, out * in);
  product p = {.tokens = tokens, .y_stride = y_stride};
  p.w.out = out, p.w.in = in;
  for (size_t k = 0; k < count; k++) {
    IRC_NAME(linear_f32_ref)(expected, y_stride, x, x_stride, w, bias, tokens, in, out);
    sets[k]->linear_f32(y, y_stride, x, x_stride, w, bias, tokens, in, out);
    compare(sets[k]->name, "linear_f32", &p, y, expected);
    IRC_NAME(linear_f16_ref)(expected, y_stride, x, x_stride, half, bias, tokens, in, out);
    sets[k]->linear_f16(y, y_stride, x, x_stride, half, bias, tokens, in, out, scratch);
    compare(sets[k]->name, "linear_f16", &p, y, expected);
  }
  free(x), free(w), free(half), free(bias), free(y), free(expected), free(scratch);
}

int main(int argc, char **argv) {
  const irc_kernels *all[] = {
    IRC_NAME(kernels_portable)(), IRC_NAME(kernels_avx2)(),
    IRC_NAME(kernels_avx512_vnni)(), IRC_NAME(kernels_amx)(),
    IRC_NAME(kernels_neon_dotprod)(), IRC_NAME(kernels_neon_i8mm)(),
  };
  const irc_kernels *sets[sizeof all / sizeof *all];
  size_t count = 0;
  for (size_t k = 0; k < sizeof all / sizeof *all; k++)
    if (all[k]) sets[count++] = all[k];
  const size_t times = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
  for (uint32_t bits = 2; bits <= 8; bits++)
    for (int means = CODES; means < MEANINGS; means++)
      for (size_t k = 0; k < 12 * times; k++)
        try(bits, (meaning)means, k % 6 ? IRC_LAYOUT_PANELS : IRC_LAYOUT_ROWS, 1500, sets, count);
  // Rows so long that the sums of a group leave 32 bits.
  for (size_t k = 0; k < 2 * times; k++)
    try(8, CODES_WITH_ZEROS, IRC_LAYOUT_PANELS, k % 2 ? 32768 : 70001, sets, count);
  // Groups so many that their tables fill the scratch.
  for (size_t k = 0; k < 2; k++)
    try(4, CODES_WITH_ZEROS, IRC_LAYOUT_PANELS, k % 2 ? 17000 : 33000, sets, count);
  for (size_t k = 0; k < 40 * times; k++) try_real(sets, count);
  failures += rows_that_differ(sets, count, times);
  for (size_t k = 0; k < count; k++) printf("%s\n", sets[k]->name);
  if (failures > 0) printf("%d differences\n", failures);
  return failures > 0;
}
