// Kernels whose work is shared among the threads of a team. Every number of a result is computed by one thread,
// in the order in which one thread would compute it.
#include "kernels_threads.h"

// Rows of a weight that a thread takes at the least, in whole panels.
enum { SHARED_ROWS = 64 };

// About the least that work takes, by what one core of a fast machine does: reads of memory at 32 bytes a
// nanosecond, 256 products of bytes or 32 of floats. It takes longer elsewhere, and then there could be
// more threads than there are.
static uint64_t product_ns(size_t bytes, size_t products, size_t products_per_ns) {
  uint64_t reading = bytes / 32, multiplying = products / products_per_ns;
  return reading > multiplying ? reading : multiplying;
}

enum { BYTES_PER_NS = 256, FLOATS_PER_NS = 32 };

static void *scratch_of(const irc_crew *crew, size_t thread) {
  return crew->scratch + thread * crew->scratch_bytes;
}

// ---- Products -----------------------------------------------------------------------------------

// The arguments of every product; what one does not take is zero.
typedef struct product {
  const irc_crew *crew;
  float *y;
  size_t y_stride;
  const void *x;
  size_t x_stride;
  const float *x_scale;
  const int32_t *x_zero;
  size_t x_scale_stride;
  const void *w;  // irc_packed_weights, or the numbers themselves
  const float *bias;
  const float *hidden;
  size_t hidden_stride;
  const irc_real_weights *up;
  size_t tokens, in, out;
} product;

static const float *bias_at(const product *p, size_t first) {
  return p->bias ? p->bias + first : NULL;
}

static irc_packed_weights rows_of(const product *p, size_t first, size_t count) {
  return irc_packed_rows(*(const irc_packed_weights *)p->w, first, count);
}

static irc_real_weights up_rows(const product *p, size_t first, size_t count) {
  irc_real_weights up = *p->up;
  up.values = (const uint8_t *)up.values + first * up.in * (up.is_half ? 2 : 4);
  up.out = count;
  return up;
}

static void share_f32(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  (void)thread;
  p->crew->kernels->linear_f32(
    p->y + first, p->y_stride, (const float *)p->x, p->x_stride,
    (const float *)p->w + first * p->in, bias_at(p, first), p->tokens, p->in, count);
}

static void share_f16(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  p->crew->kernels->linear_f16(
    p->y + first, p->y_stride, (const float *)p->x, p->x_stride,
    (const uint16_t *)p->w + first * p->in, bias_at(p, first), p->tokens, p->in, count,
    scratch_of(p->crew, thread));
}

static void share_q_f32(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  const irc_packed_weights w = rows_of(p, first, count);
  p->crew->kernels->linear_q_f32(
    p->y + first, p->y_stride, (const float *)p->x, p->x_stride, &w, bias_at(p, first), p->tokens,
    scratch_of(p->crew, thread));
}

static void share_q_i8(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  const irc_packed_weights w = rows_of(p, first, count);
  p->crew->kernels->linear_q_i8(
    p->y + first, p->y_stride, (const int8_t *)p->x, p->x_stride, p->x_scale, p->x_zero,
    p->x_scale_stride, &w, bias_at(p, first), p->tokens, scratch_of(p->crew, thread));
}

static void share_q_f32_up(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  const irc_packed_weights w = rows_of(p, first, count);
  const irc_real_weights up = up_rows(p, first, count);
  p->crew->kernels->linear_q_f32_up(
    p->y + first, p->y_stride, (const float *)p->x, p->x_stride, &w, bias_at(p, first), p->hidden,
    p->hidden_stride, &up, p->tokens, scratch_of(p->crew, thread));
}

static void share_q_i8_up(const void *arguments, size_t first, size_t count, size_t thread) {
  const product *p = (const product *)arguments;
  const irc_packed_weights w = rows_of(p, first, count);
  const irc_real_weights up = up_rows(p, first, count);
  p->crew->kernels->linear_q_i8_up(
    p->y + first, p->y_stride, (const int8_t *)p->x, p->x_stride, p->x_scale, p->x_zero,
    p->x_scale_stride, &w, bias_at(p, first), p->hidden, p->hidden_stride, &up, p->tokens,
    scratch_of(p->crew, thread));
}

static void share_rows(
  irc_task task, const product *p, size_t row_bytes, size_t products_per_ns) {
  irc_run(
    p->crew, task, p, p->out, SHARED_ROWS,
    product_ns(p->out * row_bytes, p->out * p->in * p->tokens, products_per_ns));
}

void IRC_NAME(share_linear_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const float *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in,
  size_t out) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .w = w, .bias = bias,
    .tokens = tokens, .in = in, .out = out};
  share_rows(share_f32, &p, in * sizeof(float), FLOATS_PER_NS);
}

void IRC_NAME(share_linear_f16)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const uint16_t *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in,
  size_t out) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .w = w, .bias = bias,
    .tokens = tokens, .in = in, .out = out};
  share_rows(share_f16, &p, in * sizeof(uint16_t), FLOATS_PER_NS);
}

void IRC_NAME(share_linear_q_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const irc_packed_weights *w, const float *bias, size_t tokens) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .w = w, .bias = bias,
    .tokens = tokens, .in = w->in, .out = w->out};
  share_rows(share_q_f32, &p, w->row_bytes, FLOATS_PER_NS);
}

void IRC_NAME(share_linear_q_i8)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x,
  size_t x_stride, const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .x_scale = x_scale,
    .x_zero = x_zero, .x_scale_stride = x_scale_stride, .w = w, .bias = bias, .tokens = tokens,
    .in = w->in, .out = w->out};
  share_rows(share_q_i8, &p, w->row_bytes, BYTES_PER_NS);
}

void IRC_NAME(share_linear_q_f32_up)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const irc_packed_weights *w, const float *bias,
  const float *IRC_RESTRICT hidden, size_t hidden_stride, const irc_real_weights *up,
  size_t tokens) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .w = w, .bias = bias,
    .hidden = hidden, .hidden_stride = hidden_stride, .up = up, .tokens = tokens, .in = w->in,
    .out = w->out};
  share_rows(share_q_f32_up, &p, w->row_bytes, FLOATS_PER_NS);
}

void IRC_NAME(share_linear_q_i8_up)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x,
  size_t x_stride, const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,
  const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,
  size_t hidden_stride, const irc_real_weights *up, size_t tokens) {
  const product p = {
    .crew = crew, .y = y, .y_stride = y_stride, .x = x, .x_stride = x_stride, .x_scale = x_scale,
    .x_zero = x_zero, .x_scale_stride = x_scale_stride, .w = w, .bias = bias, .hidden = hidden,
    .hidden_stride = hidden_stride, .up = up, .tokens = tokens, .in = w->in, .out = w->out};
  share_rows(share_q_i8_up, &p, w->row_bytes, BYTES_PER_NS);
}
