// Attention and scans whose work is shared among the threads of a team; see kernels_share.c.
#include "kernels_threads.h"

enum { SHARED_CHANNELS = 16 };

// ---- Attention ----------------------------------------------------------------------------------

// Keys and values are floats, or codes if they have scales.
typedef struct attention {
  const irc_crew *crew;
  float *y;
  const float *q;
  size_t q_stride;
  const void *k;
  size_t k_stride;
  const float *k_scale;
  const void *v;
  size_t v_stride;
  const float *v_scale;
  size_t scale_stride, tokens, total, heads, kv_heads, head_dim;
  float scale;
  size_t window;
} attention;

// Tokens that see `total` keys, with `count` heads of keys from `first` on and the heads of queries that read them.
static void attend(
  const attention *p, float *y, const float *q, size_t tokens, size_t total, size_t first,
  size_t count, size_t thread) {
  const irc_kernels *kernels = p->crew->kernels;
  size_t heads = count * (p->heads / p->kv_heads), column = first * p->head_dim;
  float *room = p->crew->scores + thread * p->crew->scores_count;
  if (p->k_scale)
    kernels->attention_i8(
      y, q, p->q_stride, (const int8_t *)p->k + column, p->k_stride, p->k_scale + first,
      (const int8_t *)p->v + column, p->v_stride, p->v_scale + first, p->scale_stride, tokens,
      total, heads, count, p->head_dim, p->scale, p->window, room);
  else
    kernels->attention_f32(
      y, q, p->q_stride, (const float *)p->k + column, p->k_stride, (const float *)p->v + column,
      p->v_stride, tokens, total, heads, count, p->head_dim, p->scale, p->window, room);
}

// Some tokens: those before see fewer keys, so the total ends with the last of them.
static void share_queries(const void *arguments, size_t first, size_t count, size_t thread) {
  const attention *p = (const attention *)arguments;
  attend(
    p, p->y + first * p->heads * p->head_dim, p->q + first * p->q_stride, count,
    p->total - p->tokens + first + count, 0, p->kv_heads, thread);
}

// Some heads of keys of the one token.
static void share_heads(const void *arguments, size_t first, size_t count, size_t thread) {
  const attention *p = (const attention *)arguments;
  size_t column = p->heads / p->kv_heads * first * p->head_dim;
  attend(p, p->y + column, p->q + column, 1, p->total, first, count, thread);
}

// `rate`: channels of a head that are multiplied with a key and added of its value in a nanosecond.
static void share_attention(const attention *p, uint64_t rate) {
  size_t seen = p->window > 0 && p->window < p->total ? p->window : p->total;
  uint64_t nanoseconds = (uint64_t)p->tokens * seen * p->heads * p->head_dim / rate;
  if (p->tokens == 1)
    irc_run(p->crew, share_heads, p, p->kv_heads, 1, nanoseconds);
  else
    irc_run(p->crew, share_queries, p, p->tokens, 1, nanoseconds);
}

void IRC_NAME(share_attention_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const float *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT v, size_t v_stride,
  size_t tokens, size_t total, size_t heads, size_t kv_heads, size_t head_dim, float scale,
  size_t window) {
  const attention p = {
    crew, y, q, q_stride, k, k_stride, NULL, v, v_stride, NULL, 0, tokens, total, heads, kv_heads,
    head_dim, scale, window};
  share_attention(&p, 8);
}

void IRC_NAME(share_attention_i8)(
  const irc_crew *crew, float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window) {
  const attention p = {
    crew, y, q, q_stride, k, k_stride, k_scale, v, v_stride, v_scale, scale_stride, tokens, total,
    heads, kv_heads, head_dim, scale, window};
  // The product of codes takes less than half of the time of the weighted sum, which is of real numbers.
  share_attention(&p, 11);
}

// ---- Selective scan -----------------------------------------------------------------------------

typedef struct scan {
  const irc_crew *crew;
  float *y, *h;
  const float *u;
  size_t u_stride;
  const float *delta;
  size_t delta_stride;
  const float *a, *b;
  size_t b_stride;
  const float *c;
  size_t c_stride;
  const float *d;
  size_t tokens, channels, states;
} scan;

// Some channels, token by token since the results of all channels lie together.
static void share_channels(const void *arguments, size_t first, size_t count, size_t thread) {
  const scan *p = (const scan *)arguments;
  (void)thread;
  size_t state = first * p->states;
  size_t step = count == p->channels ? p->tokens : 1;
  for (size_t t = 0; t < p->tokens; t += step)
    p->crew->kernels->selective_scan_f32(
      p->y + t * p->channels + first, p->h + state, p->u + t * p->u_stride + first, p->u_stride,
      p->delta + t * p->delta_stride + first, p->delta_stride, p->a + state,
      p->b + t * p->b_stride, p->b_stride, p->c + t * p->c_stride, p->c_stride, p->d + first, step,
      count, p->states);
}

void IRC_NAME(share_selective_scan_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u,
  size_t u_stride, const float *IRC_RESTRICT delta, size_t delta_stride,
  const float *IRC_RESTRICT a, const float *IRC_RESTRICT b, size_t b_stride,
  const float *IRC_RESTRICT c, size_t c_stride, const float *IRC_RESTRICT d, size_t tokens,
  size_t channels, size_t states) {
  const scan p = {
    crew, y, h, u, u_stride, delta, delta_stride, a, b, b_stride, c, c_stride, d, tokens, channels,
    states};
  // An exponential of four states takes a nanosecond.
  irc_run(
    crew, share_channels, &p, channels, SHARED_CHANNELS,
    (uint64_t)tokens * channels * states / 4);
}
