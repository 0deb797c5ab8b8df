// Shares kernels among the threads of a team, whose number changes, and compares what comes of it with the
// kernels themselves, bit by bit. Compiled with the sources of CKernels by ThreadTests.swift, with IRC_SHARE_NS=0,
// so that small work is shared too.
#define _POSIX_C_SOURCE 200809L

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kernels_threads.h"

enum { TOKENS = 7, IN = 172, STRIDE = IN + 3, CODES = 192, OUT = 205, RANK = 5, MOST = 5, GROUPS = 6 };

static uint32_t state = 1;
static uint32_t draw(void) { return state = state * 1664525u + 1013904223u; }
static float real(void) { return (float)((double)(draw() >> 8) / 8388608.0 - 1.0); }

static int failures;
static _Alignas(64) uint8_t memory[IRC_TEAM_BYTES + (MOST - 1) * IRC_WORKER_BYTES];
static _Alignas(64) uint8_t scratch[MOST][1 << 16];
static float x[TOKENS * STRIDE], w[400 * IN], bias[OUT], hidden[TOKENS * RANK];
static float a[TOKENS * 400], b[TOKENS * 400];
static float state_a[83 * 9], state_b[83 * 9], k[40 * 48], v[40 * 48];
static uint16_t half[OUT * IN];
static int8_t k_codes[40 * 48], v_codes[40 * 48];
static int8_t codes[TOKENS * CODES], zeros[208 * GROUPS];
static int32_t x_zero[TOKENS];
static uint8_t packed[208 * CODES];
static float scales[208 * GROUPS], x_scale[TOKENS];

// Both calls write the same bytes, and nothing else.
#define SAME(call, shared)                                              \
  do {                                                                  \
    memset(a, 1, sizeof a);                                             \
    memset(b, 1, sizeof b);                                             \
    call;                                                               \
    shared;                                                             \
    if (memcmp(a, b, sizeof a) != 0) {                                  \
      printf("%zu threads, %zu tokens: %s\n", threads, tokens, #shared); \
      failures++;                                                       \
    }                                                                   \
  } while (0)

static void fill(void) {
  for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = real();
  for (size_t i = 0; i < sizeof w / sizeof *w; i++) w[i] = real();
  for (size_t i = 0; i < OUT; i++) bias[i] = real();
  for (size_t i = 0; i < TOKENS * RANK; i++) hidden[i] = real();
  for (size_t i = 0; i < sizeof k / sizeof *k; i++) k[i] = real(), v[i] = real();
  for (size_t i = 0; i < sizeof k_codes; i++) {
    k_codes[i] = (int8_t)((int32_t)(draw() % 255) - 127);
    v_codes[i] = (int8_t)((int32_t)(draw() % 255) - 127);
  }
  for (size_t i = 0; i < OUT * IN; i++) half[i] = (uint16_t)(draw() >> 18);
  for (size_t i = 0; i < sizeof packed; i++) packed[i] = (uint8_t)(draw() >> 13);
  for (size_t i = 0; i < 208 * GROUPS; i++) scales[i] = real(), zeros[i] = (int8_t)(draw() >> 28);
  for (size_t t = 0; t < TOKENS; t++) {
    x_scale[t] = real();
    x_zero[t] = (int32_t)(draw() >> 24) - 128;
    for (size_t i = 0; i < IN; i++) codes[t * CODES + i] = (int8_t)((int32_t)(draw() >> 24) - 128);
  }
}

// ---- Teams --------------------------------------------------------------------------------------

static int hits[1000];

static void count_up(const void *arguments, size_t first, size_t count, size_t thread) {
  size_t grain = *(const size_t *)arguments;
  if (first % grain != 0 || thread >= MOST) failures++;
  for (size_t i = first; i < first + count; i++) hits[i]++;
}

// Every number is done once, and all of them before the call returns.
static void check_ranges(irc_team *team) {
  for (size_t round = 0; round < 50; round++) {
    memset(hits, 0, sizeof hits);
    size_t count = draw() % 1000, grain = 1 + draw() % 16;
    irc_work work = {count_up, &grain, count, grain, count * 100};
    IRC_NAME(team_run)(team, &work);
    for (size_t i = 0; i < 1000; i++) failures += hits[i] != (i < count);
  }
}

static _Atomic size_t met;
static _Atomic bool has_met[MOST];

// Ends only if as many threads as there are numbers are at work at the same time, each with a place of its own.
static void meet(const void *arguments, size_t first, size_t count, size_t thread) {
  const size_t threads = *(const size_t *)arguments;
  (void)first;
  if (count != 1 || thread >= threads || atomic_exchange(&has_met[thread], true)) failures++;
  atomic_fetch_add(&met, 1);
  while (atomic_load(&met) < threads) sched_yield();
}

static void check_meeting(irc_team *team, size_t threads) {
  for (size_t round = 0; round < 3; round++) {
    atomic_store(&met, 0);
    for (size_t i = 0; i < MOST; i++) atomic_store(&has_met[i], false);
    irc_work work = {meet, &threads, threads, 1, 1u << 30};
    IRC_NAME(team_run)(team, &work);
  }
}

// ---- Kernels ------------------------------------------------------------------------------------

static void check_products(const irc_crew *crew, size_t threads, size_t tokens) {
  const irc_kernels *kernels = crew->kernels;
  SAME(
    kernels->linear_f32(a, 210, x, STRIDE, w, bias, tokens, IN, OUT),
    IRC_NAME(share_linear_f32)(crew, b, 210, x, STRIDE, w, bias, tokens, IN, OUT));
  SAME(
    kernels->linear_f16(a, OUT, x, IN, half, NULL, tokens, IN, OUT, scratch[0]),
    IRC_NAME(share_linear_f16)(crew, b, OUT, x, IN, half, NULL, tokens, IN, OUT));
  for (uint32_t bits = 2; bits <= 8; bits += 3)
    for (int layout = 0; layout < 2; layout++) {
      const irc_packed_weights q = {
        .codes = packed, .scales = scales, .zeros = bits % 2 ? zeros : NULL, .bits = bits,
        .scale_type = IRC_SCALE_F32, .out = OUT, .in = IN, .group = 32, .groups = GROUPS,
        .row_bytes = irc_packed_row_bytes(IN, bits),
        .layout = layout ? IRC_LAYOUT_PANELS : IRC_LAYOUT_ROWS};
      const irc_real_weights up = {bits > 4 ? (void *)half : (void *)w, bits > 4, OUT, RANK};
      SAME(
        kernels->linear_q_f32(a, OUT, x, IN, &q, bias, tokens, scratch[0]),
        IRC_NAME(share_linear_q_f32)(crew, b, OUT, x, IN, &q, bias, tokens));
      SAME(
        kernels->linear_q_i8(
          a, OUT, codes, CODES, x_scale, x_zero, 1, &q, bias, tokens, scratch[0]),
        IRC_NAME(share_linear_q_i8)(
          crew, b, OUT, codes, CODES, x_scale, x_zero, 1, &q, bias, tokens));
      SAME(
        kernels->linear_q_f32_up(
          a, OUT, x, IN, &q, NULL, hidden, RANK, &up, tokens, scratch[0]),
        IRC_NAME(share_linear_q_f32_up)(
          crew, b, OUT, x, IN, &q, NULL, hidden, RANK, &up, tokens));
      SAME(
        kernels->linear_q_i8_up(
          a, OUT, codes, CODES, x_scale, NULL, 0, &q, bias, hidden, RANK, &up, tokens, scratch[0]),
        IRC_NAME(share_linear_q_i8_up)(
          crew, b, OUT, codes, CODES, x_scale, NULL, 0, &q, bias, hidden, RANK, &up, tokens));
    }
}

static void check_sequences(const irc_crew *crew, size_t threads, size_t tokens) {
  for (size_t window = 0; window < 12; window += 5)
    SAME(
      crew->kernels->attention_f32(
        a, x, IN, k, 48, v, 48, tokens, 23, 6, 3, 12, 0.3f, window, (float *)(void *)scratch),
      IRC_NAME(share_attention_f32)(
        crew, b, x, IN, k, 48, v, 48, tokens, 23, 6, 3, 12, 0.3f, window));
  for (size_t window = 0; window < 12; window += 5)
    SAME(
      crew->kernels->attention_i8(
        a, x, IN, k_codes, 48, scales, v_codes, 48, scales + 7, 5, tokens, 23, 6, 3, 12, 0.3f,
        window, scratch),
      IRC_NAME(share_attention_i8)(
        crew, b, x, IN, k_codes, 48, scales, v_codes, 48, scales + 7, 5, tokens, 23, 6, 3, 12,
        0.3f, window));
  for (size_t i = 0; i < 83 * 9; i++) state_a[i] = state_b[i] = real();
  for (size_t i = 0; i < 83 * 9; i++) w[i] = -w[i] * w[i];
  SAME(
    crew->kernels->selective_scan_f32(
      a, state_a, x, STRIDE, x + 9, STRIDE, w, w + 9, 9, w + 20, 5, bias, tokens, 83, 9),
    IRC_NAME(share_selective_scan_f32)(
      crew, b, state_b, x, STRIDE, x + 9, STRIDE, w, w + 9, 9, w + 20, 5, bias, tokens, 83, 9));
  if (memcmp(state_a, state_b, sizeof state_a) != 0) {
    printf("%zu threads: states of the scan\n", threads);
    failures++;
  }
}

int main(void) {
  fill();
  irc_team *team = IRC_NAME(team_create)(memory, MOST);
  if (!team) return 2;
  const irc_crew crew = {
    team, IRC_NAME(kernels_best)(), scratch[0], sizeof scratch[0], (float *)(void *)scratch,
    sizeof scratch[0] / sizeof(float)};
  if (IRC_NAME(team_resize)(team, 0) || IRC_NAME(team_resize)(team, MOST + 1)) failures++;
  static const size_t numbers[] = {2, 3, MOST, 1};
  for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
    if (!IRC_NAME(team_resize)(team, numbers[n])) return 3;
    check_ranges(team);
    check_meeting(team, numbers[n]);
    for (size_t tokens = 1; tokens <= TOKENS; tokens += TOKENS - 1) {
      check_products(&crew, numbers[n], tokens);
      check_sequences(&crew, numbers[n], tokens);
    }
  }
  IRC_NAME(team_destroy)(team);
  return failures != 0;
}
