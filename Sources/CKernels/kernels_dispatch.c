// Sets of kernels, and the choice among them for the processor that runs the program.
#include "kernels_sets.h"

const irc_kernels *IRC_NAME(kernels_portable)(void) {
  static const irc_kernels table = {
    .name = "portable",
    .linear_f32 = IRC_NAME(linear_f32),
    .linear_f16 = IRC_NAME(linear_f16),
    .linear_q_f32 = IRC_NAME(linear_q_f32),
    .linear_q_i8 = IRC_NAME(linear_q_i8),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
    .quantize_tokens_down = IRC_NAME(quantize_tokens_down),
    .quantize_static_down = IRC_NAME(quantize_static_down),
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up),
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up),
  };
  return &table;
}

const irc_kernels *IRC_NAME(kernels_avx2)(void) {
#if IRC_X86
  static const irc_kernels table = {
    .name = "avx2",
    .linear_f32 = IRC_NAME(linear_f32),
    .linear_f16 = IRC_NAME(linear_f16),
    .linear_q_f32 = IRC_NAME(linear_q_f32),
    .linear_q_i8 = IRC_NAME(linear_q_i8_avx2),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
    .quantize_tokens_down = IRC_NAME(quantize_tokens_down),
    .quantize_static_down = IRC_NAME(quantize_static_down),
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up),
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up_avx2),
  };
  if (
    __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
    && __builtin_cpu_supports("f16c"))
    return &table;
#endif
  return NULL;
}

const irc_kernels *IRC_NAME(kernels_best)(void) {
  const irc_kernels *best = IRC_NAME(kernels_avx2)();
  return best ? best : IRC_NAME(kernels_portable)();
}
