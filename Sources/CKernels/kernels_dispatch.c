// Sets of kernels, and the choice among them for the processor that runs the program.
#include "kernels_sets.h"

#if IRC_ARM
#include <sys/auxv.h>
#endif

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
    .linear_q_f32 = IRC_NAME(linear_q_f32_avx2),
    .linear_q_i8 = IRC_NAME(linear_q_i8_avx2),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
    .quantize_tokens_down = IRC_NAME(quantize_tokens_down),
    .quantize_static_down = IRC_NAME(quantize_static_down),
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up_avx2),
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up_avx2),
  };
  if (
    __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
    && __builtin_cpu_supports("f16c"))
    return &table;
#endif
  return NULL;
}

#if IRC_ARM
// Bits of Linux's AT_HWCAP and AT_HWCAP2: half precision and dot products, and products of
// matrices.
static bool irc_has_dotprod(void) {
  const unsigned long both = 1ul << 10 | 1ul << 20;
  return (getauxval(AT_HWCAP) & both) == both;
}
static bool irc_has_i8mm(void) { return (getauxval(AT_HWCAP2) & 1ul << 13) != 0; }
#endif

const irc_kernels *IRC_NAME(kernels_neon_dotprod)(void) {
#if IRC_ARM
  static const irc_kernels table = {
    .name = "neon dotprod",
    .linear_f32 = IRC_NAME(linear_f32),
    .linear_f16 = IRC_NAME(linear_f16),
    .linear_q_f32 = IRC_NAME(linear_q_f32),
    .linear_q_i8 = IRC_NAME(linear_q_i8_neon_dotprod),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
    .quantize_tokens_down = IRC_NAME(quantize_tokens_down),
    .quantize_static_down = IRC_NAME(quantize_static_down),
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up),
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up_neon_dotprod),
  };
  if (irc_has_dotprod()) return &table;
#endif
  return NULL;
}

const irc_kernels *IRC_NAME(kernels_neon_i8mm)(void) {
#if IRC_ARM
  static const irc_kernels table = {
    .name = "neon i8mm",
    .linear_f32 = IRC_NAME(linear_f32),
    .linear_f16 = IRC_NAME(linear_f16),
    .linear_q_f32 = IRC_NAME(linear_q_f32),
    .linear_q_i8 = IRC_NAME(linear_q_i8_neon_i8mm),
    .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8),
    .quantize_static_i8 = IRC_NAME(quantize_static_i8),
    .quantize_tokens_down = IRC_NAME(quantize_tokens_down),
    .quantize_static_down = IRC_NAME(quantize_static_down),
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up),
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up_neon_i8mm),
  };
  if (irc_has_dotprod() && irc_has_i8mm()) return &table;
#endif
  return NULL;
}

const irc_kernels *IRC_NAME(kernels_best)(void) {
  const irc_kernels *best = IRC_NAME(kernels_avx2)();
  if (!best) best = IRC_NAME(kernels_neon_i8mm)();
  if (!best) best = IRC_NAME(kernels_neon_dotprod)();
  return best ? best : IRC_NAME(kernels_portable)();
}
