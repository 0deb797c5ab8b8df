// Compares the kernels over rows of every set that this processor can run with the portable ones, and the
// portable quantizers and the attention over codes with the references, bit by bit: on sizes that no vector
// divides, and with NaNs, infinities, zeros of both signs and subnormals. check.c calls this.
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irc_reference.h"

static uint64_t state = 1;

static uint32_t next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}

static size_t below(size_t n) { return next() % n; }

// Memory of exactly that size, so that a sanitizer sees what lies beyond.
static void *take(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p) abort();
  memset(p, 0x55, bytes);
  return p;
}

static bool is_extreme;

static float real(void) {
  static const float extremes[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-40f, -1e-42f, 3e38f};
  if (is_extreme && next() % 8 == 0) return extremes[below(8)];
  return (float)((int32_t)below(20001) - 10000) * 0x1p-11f;
}

static float *reals(size_t count) {
  float *p = take(count * sizeof *p);
  for (size_t i = 0; i < count; i++) p[i] = real();
  return p;
}

static int failures = 0;

static void fail(const char *set, const char *what, size_t at) {
  if (failures++ < 10) printf("%s: %s differs at %zu\n", set, what, at);
}

// The same bits, but for what a NaN looks like.
static void compare(
  const char *set, const char *what, const float *found, const float *expected, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (
      !(isnan(found[i]) && isnan(expected[i])) && memcmp(&found[i], &expected[i], sizeof(float))) {
      fail(set, what, i);
      return;
    }
}

static void compare_bytes(
  const char *set, const char *what, const void *found, const void *expected, size_t count) {
  if (memcmp(found, expected, count) != 0) fail(set, what, 0);
}

// ---- Elementwise functions and norms ------------------------------------------------------------

static void try_elementwise(const irc_kernels *portable, const irc_kernels *set) {
  const size_t rows = 1 + below(9), n = 1 + below(next() % 4 ? 100 : 700), stride = n + below(4);
  const size_t count = rows * n;
  float *x = reals(rows * stride), *other = reals(rows * stride), *gain = reals(n);
  float *bias = reals(n), *y = take(count * sizeof *y), *expected = take(count * sizeof *y);
#define TRY(kernel, ...)                                   \
  do {                                                     \
    memset(y, 0x55, count * sizeof *y);                    \
    portable->kernel(expected, __VA_ARGS__);               \
    set->kernel(y, __VA_ARGS__);                           \
    compare(set->name, #kernel, y, expected, count);       \
  } while (0)
  TRY(silu_rows_f32, x, stride, rows, n);
  TRY(softplus_rows_f32, x, stride, rows, n);
  TRY(scaled_silu_rows_f32, x, stride, gain, rows, n);
  TRY(div_rows_f32, x, stride, gain, rows, n);
  TRY(add_rows_f32, x, stride, other, stride, rows, n);
  TRY(mul_rows_f32, x, stride, gain, 0, rows, n);
  TRY(rms_norm_f32, x, stride, gain, rows, n, 1e-5f);
  TRY(rms_norm_f32, x, stride, NULL, rows, n, 1e-5f);
  TRY(layer_norm_f32, x, stride, gain, bias, rows, n, 1e-5f);
  TRY(layer_norm_f32, x, stride, NULL, NULL, rows, n, 1e-5f);
  portable->exp_f32(expected, x, n);
  memcpy(y, x, n * sizeof *y);
  set->exp_f32(y, y, n);
  compare(set->name, "exp_f32", y, expected, n);
  portable->negate_f32(expected, x, n);
  set->negate_f32(y, x, n);
  compare_bytes(set->name, "negate_f32", y, expected, n * sizeof *y);
  free(x), free(other), free(gain), free(bias), free(y), free(expected);
}

// ---- Quantizers ---------------------------------------------------------------------------------

typedef struct quantized {
  int8_t *codes;
  float *scale, *hidden;
  int32_t *zero;
} quantized;

static quantized room(size_t tokens, size_t code_stride, size_t rank) {
  quantized q = {
    take(tokens * code_stride), take(tokens * sizeof(float)),
    take(tokens * rank * sizeof(float)), take(tokens * sizeof(int32_t))};
  return q;
}

static void drop(quantized q) { free(q.codes), free(q.scale), free(q.hidden), free(q.zero); }

static void compare_quantized(
  const char *set, const char *what, quantized found, quantized expected, size_t tokens,
  size_t code_stride, size_t rank) {
  compare_bytes(set, what, found.codes, expected.codes, tokens * code_stride);
  compare(set, what, found.scale, expected.scale, tokens);
  compare_bytes(set, what, found.zero, expected.zero, tokens * sizeof(int32_t));
  compare(set, what, found.hidden, expected.hidden, tokens * rank);
}

static void try_quantizers(const irc_kernels *portable, const irc_kernels *set) {
  const size_t tokens = 1 + below(20), n = 1 + below(next() % 4 ? 150 : 1500);
  const size_t x_stride = n + below(4), code_stride = n + below(40), rank = 1 + below(23);
  const uint32_t bits = 2 + (uint32_t)below(7);
  const int32_t low = -(1 << (bits - 1)), high = -low - 1, zero = (int32_t)below(4) - 2;
  static const float scales[] = {0.03f, 1.0f, 0.0f, INFINITY, 1e-40f};
  const float scale = scales[below(5)];
  float *x = reals(tokens * x_stride), *w = reals(rank * n);
  uint16_t *half = take(rank * n * sizeof *half);
  for (size_t i = 0; i < rank * n; i++)
    half[i] = is_extreme ? (uint16_t)next() : (uint16_t)(0x2c00 + (next() & 0x8fff));
  // A token of zeros, and one of nothing but subnormals.
  for (size_t i = 0; i < n; i++) {
    x[i] *= next() % 2 ? 0.0f : 1.0f;
    if (tokens > 1) x[x_stride + i] = (float)(next() % 5) * 1e-44f;
  }
  quantized expected = room(tokens, code_stride, rank), found = room(tokens, code_stride, rank);

  for (int has_zero = 0; has_zero < 2; has_zero++) {
    int32_t *made = has_zero ? expected.zero : NULL, *other = has_zero ? found.zero : NULL;
    IRC_NAME(quantize_tokens_i8_ref)(
      expected.codes, code_stride, expected.scale, made, x, x_stride, tokens, n, bits);
    set->quantize_tokens_i8(
      found.codes, code_stride, found.scale, other, x, x_stride, tokens, n, bits);
    compare_quantized(
      set->name, "quantize_tokens_i8", found, expected, tokens, code_stride, rank);
  }
  IRC_NAME(quantize_static_i8_ref)(
    expected.codes, code_stride, x, x_stride, tokens, n, scale, zero, low, high);
  set->quantize_static_i8(
    found.codes, code_stride, x, x_stride, tokens, n, scale, zero, low, high);
  compare_quantized(set->name, "quantize_static_i8", found, expected, tokens, code_stride, rank);

  void *lanes = take(irc_down_scratch_bytes(rank));
  for (int is_half = 0; is_half < 2; is_half++) {
    irc_real_weights down = {is_half ? (void *)half : (void *)w, is_half == 1, rank, n};
    int32_t *made = next() % 2 ? expected.zero : NULL, *other = made ? found.zero : NULL;
    portable->quantize_tokens_down(
      expected.codes, code_stride, expected.scale, made, expected.hidden, rank, x, x_stride, &down,
      tokens, bits, lanes);
    set->quantize_tokens_down(
      found.codes, code_stride, found.scale, other, found.hidden, rank, x, x_stride, &down, tokens,
      bits, lanes);
    compare_quantized(
      set->name, "quantize_tokens_down", found, expected, tokens, code_stride, rank);
    portable->quantize_static_down(
      expected.codes, code_stride, expected.hidden, rank, x, x_stride, &down, tokens, scale, zero,
      low, high, lanes);
    set->quantize_static_down(
      found.codes, code_stride, found.hidden, rank, x, x_stride, &down, tokens, scale, zero, low,
      high, lanes);
    compare_quantized(
      set->name, "quantize_static_down", found, expected, tokens, code_stride, rank);
  }
  free(x), free(w), free(half), free(lanes);
  drop(expected), drop(found);
}

// ---- Sequences ----------------------------------------------------------------------------------

static void try_attention(const irc_kernels *portable, const irc_kernels *set) {
  const size_t tokens = 1 + below(5), total = tokens + below(60), kv_heads = 1 + below(3);
  const size_t heads = kv_heads * (1 + below(8)), head_dim = 1 + below(next() % 3 ? 40 : 150);
  const size_t window = next() % 2 ? 0 : 1 + below(20);
  const size_t q_stride = heads * head_dim + below(3), stride = kv_heads * head_dim + below(3);
  const size_t scale_stride = kv_heads + below(2), count = tokens * heads * head_dim;
  const float scale = 0.3f;
  float *q = reals(tokens * q_stride), *k = reals(total * stride), *v = reals(total * stride);
  float *y = take(count * sizeof *y), *expected = take(count * sizeof *y);
  void *scratch = take(irc_attention_i8_scratch_bytes(total, heads, kv_heads, head_dim));
  portable->attention_f32(
    expected, q, q_stride, k, stride, v, stride, tokens, total, heads, kv_heads, head_dim, scale,
    window, (float *)scratch);
  set->attention_f32(
    y, q, q_stride, k, stride, v, stride, tokens, total, heads, kv_heads, head_dim, scale, window,
    (float *)scratch);
  compare(set->name, "attention_f32", y, expected, count);

  int8_t *keys = take(total * stride), *values = take(total * stride);
  float *k_scale = take(total * scale_stride * sizeof(float));
  float *v_scale = take(total * scale_stride * sizeof(float));
  const bool is_full = next() % 4 == 0;  // the largest sums that there can be
  for (size_t i = 0; i < total * stride; i++) {
    keys[i] = (int8_t)(is_full ? -127 : (int32_t)below(255) - 127);
    values[i] = (int8_t)((int32_t)below(255) - 127);
  }
  for (size_t i = 0; i < total * scale_stride; i++) {
    k_scale[i] = fabsf(real()) * 0x1p-6f;
    v_scale[i] = fabsf(real()) * 0x1p-6f;
  }
  IRC_NAME(attention_i8_ref)(
    expected, q, q_stride, keys, stride, k_scale, values, stride, v_scale, scale_stride, tokens,
    total, heads, kv_heads, head_dim, scale, window, scratch);
  set->attention_i8(
    y, q, q_stride, keys, stride, k_scale, values, stride, v_scale, scale_stride, tokens, total,
    heads, kv_heads, head_dim, scale, window, scratch);
  compare(set->name, "attention_i8", y, expected, count);
  free(q), free(k), free(v), free(y), free(expected), free(scratch);
  free(keys), free(values), free(k_scale), free(v_scale);
}

static void try_states(const irc_kernels *portable, const irc_kernels *set) {
  const size_t tokens = 1 + below(9), n = 1 + below(200), stride = n + below(4);
  const size_t width = 1 + below(next() % 3 ? 5 : 20), states = next() % 2 ? 16 : 1 + below(40);
  const size_t kept = (width - 1) * n, pair = 2 * states + 1;
  float *x = reals(tokens * stride), *delta = reals(tokens * stride), *weight = reals(n * width);
  float *bias = next() % 3 ? reals(n) : NULL, *d = reals(n), *a = reals(n * states);
  float *b = reals(tokens * pair), *before = reals(kept), *h = reals(n * states);
  float *state_of_set = take(kept * sizeof(float)), *h_of_set = take(n * states * sizeof(float));
  float *y = take(tokens * n * sizeof *y), *expected = take(tokens * n * sizeof *y);
  memcpy(state_of_set, before, kept * sizeof(float));
  memcpy(h_of_set, h, n * states * sizeof(float));
  portable->causal_conv_f32(
    expected, before, x, stride, before, weight, bias, tokens, n, width);
  set->causal_conv_f32(
    y, state_of_set, x, stride, state_of_set, weight, bias, tokens, n, width);
  compare(set->name, "causal_conv_f32", y, expected, tokens * n);
  compare(set->name, "the state of causal_conv_f32", state_of_set, before, kept);

  portable->selective_scan_f32(
    expected, h, x, stride, delta, stride, a, b, pair, b + states, pair, d, tokens, n, states);
  set->selective_scan_f32(
    y, h_of_set, x, stride, delta, stride, a, b, pair, b + states, pair, d, tokens, n, states);
  compare(set->name, "selective_scan_f32", y, expected, tokens * n);
  compare(set->name, "the state of selective_scan_f32", h_of_set, h, n * states);
  free(x), free(delta), free(weight), free(bias), free(d), free(a), free(b), free(before), free(h);
  free(state_of_set), free(h_of_set), free(y), free(expected);
}

// ---- Hadamard transforms ------------------------------------------------------------------------

static uint32_t *words(size_t count) {
  uint32_t *p = take(count * sizeof *p);
  for (size_t i = 0; i < count; i++) p[i] = next() << 1 ^ next();
  return p;
}

static void try_hadamard(const irc_kernels *portable, const irc_kernels *set) {
  const size_t power = (size_t)1 << below(next() % 4 ? 11 : 14);
  const size_t order = power < 1024 && next() % 3 == 0 ? 4 * (1 + below(20)) : 0;
  irc_hadamard_base base = {order, words(order * ((order + 31) / 32))};
  irc_hadamard h = {
    order ? power * order : power, power, order ? 1 : 0, order ? &base : NULL, NULL, NULL, 0.3};
  const size_t signs = (h.order + 511) / 512 * 16;
  uint32_t *before = words(signs), *after = words(signs);
  if (next() % 2) h.signs_before = before;
  if (next() % 2) h.signs_after = after;
  const size_t rows = 1 + below(3), n = h.order * (1 + below(2)), stride = n + below(4);
  const size_t code_stride = irc_padded(n);
  float *x = reals(rows * stride), *y = take(rows * n * sizeof *y);
  float *expected = take(rows * n * sizeof *y);
  float *scratch = take(irc_hadamard_tokens_scratch(&h, n) * sizeof(float));
  portable->hadamard_f32(expected, x, stride, rows, n, &h, scratch);
  set->hadamard_f32(y, x, stride, rows, n, &h, scratch);
  compare(set->name, "hadamard_f32", y, expected, rows * n);
  memcpy(y, x, n * sizeof *y);
  set->hadamard_f32(y, y, n, 1, n, &h, scratch);
  compare(set->name, "hadamard_f32 in place", y, expected, n);

  quantized made = room(rows, code_stride, 0), found = room(rows, code_stride, 0);
  for (int has_zero = 0; has_zero < 2; has_zero++) {
    const uint32_t bits = 2 + (uint32_t)below(7);
    IRC_NAME(quantize_tokens_i8_ref)(
      made.codes, code_stride, made.scale, has_zero ? made.zero : NULL, expected, n, rows, n, bits);
    set->hadamard_tokens_i8(
      found.codes, code_stride, found.scale, has_zero ? found.zero : NULL, x, stride, rows, n, bits,
      &h, scratch);
    compare_quantized(set->name, "hadamard_tokens_i8", found, made, rows, code_stride, 0);
  }
  drop(made), drop(found);
  free((void *)(uintptr_t)base.signs), free(before), free(after);
  free(x), free(y), free(expected), free(scratch);
}

int rows_that_differ(const irc_kernels *const *sets, size_t count, size_t times) {
  for (size_t k = 0; k < count; k++)
    for (size_t round = 0; round < 60 * times; round++) {
      is_extreme = round % 2 == 1;
      try_elementwise(sets[0], sets[k]);
      try_quantizers(sets[0], sets[k]);
      try_attention(sets[0], sets[k]);
      try_states(sets[0], sets[k]);
      try_hadamard(sets[0], sets[k]);
    }
  return failures;
}
