// Work in parallel: a team of threads that takes ranges of numbers, and kernels whose work it shares. Which thread
// takes what changes from run to run; what is computed does not.
#ifndef IRC_KERNELS_THREADS_H
#define IRC_KERNELS_THREADS_H

#include "irc_kernels.h"

// ---- Teams --------------------------------------------------------------------------------------

// The caller of team_run and the threads that help it. It lies in memory of whoever makes it.
typedef struct irc_team irc_team;

// Bytes of memory, aligned to 64, for a team of one thread and for each further one.
enum { IRC_TEAM_BYTES = 640, IRC_WORKER_BYTES = 64 };

// A share of some work: the numbers first ..< first + count. `thread` tells the threads that are at work
// from each other, from 0 on: it picks the scratch.
typedef void (*irc_task)(const void *arguments, size_t first, size_t count, size_t thread);

// Makes a team of one thread, the caller's, in which there is room for `most`. NULL if the system gives no
// lock.
irc_team *IRC_NAME(team_create)(void *memory, size_t most);

// Lets `threads` work from now on, 1 to what there is room for. False if the system gives no such number of
// threads; the team is then as it was.
bool IRC_NAME(team_resize)(irc_team *team, size_t threads);

// Ends all threads but the caller's.
void IRC_NAME(team_destroy)(irc_team *team);

// Some work: the numbers 0 ..< count in any number of shares, which begin at multiples of `grain`.
typedef struct irc_work {
  irc_task task;
  const void *arguments;
  size_t count;         // less than 2^31
  size_t grain;         // 1 or more
  uint64_t nanoseconds; // about how long all of it takes one thread, at the least
} irc_work;

// Does the work, and returns when it is done. There is a thread for every IRC_SHARE_NS of work; less than two
// of that the caller does alone. One call at a time.
void IRC_NAME(team_run)(irc_team *team, const irc_work *work);

// Waking a thread that sleeps takes microseconds, one that still spins much less, and the last to end makes all
// others wait for a share at most: with this much work for each, what that costs stays a small part.
#ifndef IRC_SHARE_NS
#define IRC_SHARE_NS 10000
#endif

// ---- Kernels ------------------------------------------------------------------------------------

// What a kernel is shared with.
typedef struct irc_crew {
  irc_team *team;
  const irc_kernels *kernels;
  uint8_t *scratch;      // one after another, for each thread that there is room for
  size_t scratch_bytes;  // of one
  float *scores;         // the same for attention: (scores_count) floats each
  size_t scores_count;   // irc_attention_scratch or more; over codes irc_attention_i8_codes more
} irc_crew;

// Shares a task among the threads of a crew.
static inline void irc_run(
  const irc_crew *crew, irc_task task, const void *arguments, size_t count, size_t grain,
  uint64_t nanoseconds) {
  const irc_work work = {task, arguments, count, grain, nanoseconds};
  IRC_NAME(team_run)(crew->team, &work);
}

// The kernels of these names, with their arguments but for the scratch. Products share rows of the weight, 64
// at a time.
void IRC_NAME(share_linear_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const float *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in,
  size_t out);
void IRC_NAME(share_linear_f16)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const uint16_t *IRC_RESTRICT w, const float *bias, size_t tokens, size_t in,
  size_t out);
void IRC_NAME(share_linear_q_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const irc_packed_weights *w, const float *bias, size_t tokens);
void IRC_NAME(share_linear_q_i8)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x,
  size_t x_stride, const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens);
void IRC_NAME(share_linear_q_f32_up)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x,
  size_t x_stride, const irc_packed_weights *w, const float *bias,
  const float *IRC_RESTRICT hidden, size_t hidden_stride, const irc_real_weights *up,
  size_t tokens);
void IRC_NAME(share_linear_q_i8_up)(
  const irc_crew *crew, float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x,
  size_t x_stride, const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,
  const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,
  size_t hidden_stride, const irc_real_weights *up, size_t tokens);

// Shares heads where there is one token, else tokens.
void IRC_NAME(share_attention_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const float *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT v, size_t v_stride,
  size_t tokens, size_t total, size_t heads, size_t kv_heads, size_t head_dim, float scale,
  size_t window);

void IRC_NAME(share_attention_i8)(
  const irc_crew *crew, float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window);

// Shares channels, 16 at a time.
void IRC_NAME(share_selective_scan_f32)(
  const irc_crew *crew, float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u,
  size_t u_stride, const float *IRC_RESTRICT delta, size_t delta_stride,
  const float *IRC_RESTRICT a, const float *IRC_RESTRICT b, size_t b_stride,
  const float *IRC_RESTRICT c, size_t c_stride, const float *IRC_RESTRICT d, size_t tokens,
  size_t channels, size_t states);

#endif
