// Sets of kernels, and the choice among them for the processor that runs the program.
#include "kernels_sets.h"

#if IRC_WITH_NEON
#include <sys/auxv.h>
#endif

#if IRC_WITH_AMX && defined(__linux__)
#include <cpuid.h>
#endif

// The kernels over rows, by what their names end with.
#define IRC_ROWS(rows)                                            \
  .linear_f32 = IRC_NAME(linear_f32##rows),                       \
  .linear_f16 = IRC_NAME(linear_f16##rows),                       \
  .quantize_tokens_i8 = IRC_NAME(quantize_tokens_i8##rows),       \
  .quantize_static_i8 = IRC_NAME(quantize_static_i8##rows),       \
  .quantize_tokens_down = IRC_NAME(quantize_tokens_down##rows),   \
  .quantize_static_down = IRC_NAME(quantize_static_down##rows),   \
  .exp_f32 = IRC_NAME(exp_f32##rows),                             \
  .negate_f32 = IRC_NAME(negate_f32##rows),                       \
  .silu_rows_f32 = IRC_NAME(silu_rows_f32##rows),                 \
  .softplus_rows_f32 = IRC_NAME(softplus_rows_f32##rows),         \
  .scaled_silu_rows_f32 = IRC_NAME(scaled_silu_rows_f32##rows),   \
  .div_rows_f32 = IRC_NAME(div_rows_f32##rows),                   \
  .add_rows_f32 = IRC_NAME(add_rows_f32##rows),                   \
  .mul_rows_f32 = IRC_NAME(mul_rows_f32##rows),                   \
  .rms_norm_f32 = IRC_NAME(rms_norm_f32##rows),                   \
  .layer_norm_f32 = IRC_NAME(layer_norm_f32##rows)

// Those of files that a program may leave out.
#ifdef IRC_WITHOUT_SEQUENCES
#define IRC_SEQUENCES(rows) .attention_f32 = NULL
#else
#define IRC_SEQUENCES(rows)                           \
  .attention_f32 = IRC_NAME(attention_f32##rows),     \
  .attention_i8 = IRC_NAME(attention_i8##rows),       \
  .causal_conv_f32 = IRC_NAME(causal_conv_f32##rows), \
  .selective_scan_f32 = IRC_NAME(selective_scan_f32##rows)
#endif
#ifdef IRC_WITHOUT_HADAMARD
#define IRC_HADAMARD(rows) .hadamard_f32 = NULL
#else
#define IRC_HADAMARD(rows)                      \
  .hadamard_f32 = IRC_NAME(hadamard_f32##rows), \
  .hadamard_tokens_i8 = IRC_NAME(hadamard_tokens_i8##rows)
#endif

// A set: its name, and the endings of its integer products, of its products of real activations with
// codes, and of its kernels over rows; nothing for the portable ones.
#define IRC_SET(label, integer, mixed, rows)              \
  {                                                       \
    .name = label,                                        \
    .linear_q_f32 = IRC_NAME(linear_q_f32##mixed),        \
    .linear_q_i8 = IRC_NAME(linear_q_i8##integer),        \
    .linear_q_f32_up = IRC_NAME(linear_q_f32_up##mixed),  \
    .linear_q_i8_up = IRC_NAME(linear_q_i8_up##integer),  \
    IRC_ROWS(rows),                                       \
    IRC_SEQUENCES(rows),                                  \
    IRC_HADAMARD(rows),                                   \
  }

const irc_kernels *IRC_NAME(kernels_portable)(void) {
  static const irc_kernels table = IRC_SET("portable", , , );
  return &table;
}

// A set stands here only where IRC_WITH_... of kernels_targets.h says that its files do.

// ---- x86-64 -------------------------------------------------------------------------------------

#if IRC_WITH_AVX2 || IRC_WITH_AVX512 || IRC_WITH_AMX
static bool irc_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
    && __builtin_cpu_supports("f16c");
}
#endif

#if IRC_WITH_AVX512 || IRC_WITH_AMX
static bool irc_has_avx512_vnni(void) {
  return irc_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
    && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
    && __builtin_cpu_supports("avx512vnni");
}
#endif

const irc_kernels *IRC_NAME(kernels_avx2)(void) {
#if IRC_WITH_AVX2
  static const irc_kernels table = IRC_SET("avx2", _avx2, _avx2, _avx2);
  if (irc_has_avx2()) return &table;
#endif
  return NULL;
}

const irc_kernels *IRC_NAME(kernels_avx512_vnni)(void) {
#if IRC_WITH_AVX512
  static const irc_kernels table = IRC_SET("avx512-vnni", _avx512, _avx512, _avx512);
  if (irc_has_avx512_vnni()) return &table;
#endif
  return NULL;
}

// Whether the processor has tiles of bytes, and the system lets this process use them: it has to be asked
// once, since a context with tiles is large.
#if IRC_WITH_AMX && defined(__linux__)
static bool irc_has_amx(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d >> 24 & 1) == 0 || (d >> 25 & 1) == 0) return false;  // amx-tile, amx-int8
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a >> 17 & 3) != 3) return false;  // the system keeps the state of tiles
  enum { ARCH_PRCTL = 158, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"((long)ARCH_PRCTL), "D"((long)REQUEST_PERMISSION), "S"((long)TILE_DATA)
                   : "rcx", "r11", "memory");
  return result == 0;
}
#endif

const irc_kernels *IRC_NAME(kernels_amx)(void) {
#if IRC_WITH_AMX && defined(__linux__)
  static const irc_kernels table = IRC_SET("amx-int8", _amx, _avx512, _avx512);
  if (irc_has_avx512_vnni() && irc_has_amx()) return &table;
#endif
  return NULL;
}

// ---- AArch64 ------------------------------------------------------------------------------------

#if IRC_WITH_NEON
// Bits of Linux's AT_HWCAP and AT_HWCAP2: half precision and dot products, and products of matrices.
static bool irc_has_dotprod(void) {
  const unsigned long both = 1ul << 10 | 1ul << 20;
  return (getauxval(AT_HWCAP) & both) == both;
}
static bool irc_has_i8mm(void) { return (getauxval(AT_HWCAP2) & 1ul << 13) != 0; }
#endif

const irc_kernels *IRC_NAME(kernels_neon_dotprod)(void) {
#if IRC_WITH_NEON
  static const irc_kernels table = IRC_SET("neon-dotprod", _neon_dotprod, , );
  if (irc_has_dotprod()) return &table;
#endif
  return NULL;
}

const irc_kernels *IRC_NAME(kernels_neon_i8mm)(void) {
#if IRC_WITH_NEON
  static const irc_kernels table = IRC_SET("neon-i8mm", _neon_i8mm, , );
  if (irc_has_dotprod() && irc_has_i8mm()) return &table;
#endif
  return NULL;
}

// ---- The choice ---------------------------------------------------------------------------------

const irc_kernels *IRC_NAME(kernels_best)(void) {
  const irc_kernels *best = IRC_NAME(kernels_amx)();
  if (!best) best = IRC_NAME(kernels_avx512_vnni)();
  if (!best) best = IRC_NAME(kernels_avx2)();
  if (!best) best = IRC_NAME(kernels_neon_i8mm)();
  if (!best) best = IRC_NAME(kernels_neon_dotprod)();
  return best ? best : IRC_NAME(kernels_portable)();
}
