// Loops that do nothing but one thing, as fast as this processor can.
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE  // for sched_setaffinity
#endif

#include "irc_kernels.h"
#include "irc_probes.h"

#include <string.h>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__)
#define IRC_FOR(set) static __attribute__((target(set), noinline))
#if defined(__clang__)
#define IRC_UNROLL _Pragma("unroll 16")
#else
#define IRC_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

// ---- Memory -------------------------------------------------------------------------------------

#if defined(__x86_64__)

// Bytes that are asked for ahead, as kernels do.
enum { IRC_AHEAD = 4096 };

IRC_FOR("avx512f") uint64_t irc_read_avx512(const char *x, size_t bytes) {
  __m512i a = _mm512_setzero_si512(), b = a;
  for (size_t i = 0; i < bytes; i += 128) {
    _mm_prefetch(x + i + IRC_AHEAD, _MM_HINT_T0);
    _mm_prefetch(x + i + IRC_AHEAD + 64, _MM_HINT_T0);
    a = _mm512_xor_si512(a, _mm512_loadu_si512(x + i));
    b = _mm512_xor_si512(b, _mm512_loadu_si512(x + i + 64));
  }
  uint64_t lane[8], sum = 0;
  _mm512_storeu_si512(lane, _mm512_xor_si512(a, b));
  for (int j = 0; j < 8; j++) sum ^= lane[j];
  return sum;
}

IRC_FOR("avx2") uint64_t irc_read_avx2(const char *x, size_t bytes) {
  __m256i a = _mm256_setzero_si256(), b = a;
  for (size_t i = 0; i < bytes; i += 64) {
    _mm_prefetch(x + i + IRC_AHEAD, _MM_HINT_T0);
    a = _mm256_xor_si256(a, _mm256_loadu_si256((const __m256i *)(const void *)(x + i)));
    b = _mm256_xor_si256(b, _mm256_loadu_si256((const __m256i *)(const void *)(x + i + 32)));
  }
  uint64_t lane[4];
  _mm256_storeu_si256((__m256i *)(void *)lane, _mm256_xor_si256(a, b));
  return lane[0] ^ lane[1] ^ lane[2] ^ lane[3];
}

#endif

static uint64_t irc_read_portable(const char *x, size_t bytes) {
  uint64_t lane[8] = {0}, sum = 0;
  for (size_t i = 0; i < bytes; i += sizeof lane) {
    uint64_t next[8];
    memcpy(next, x + i, sizeof next);
    for (int j = 0; j < 8; j++) lane[j] ^= next[j];
  }
  for (int j = 0; j < 8; j++) sum ^= lane[j];
  return sum;
}

uint64_t irc_probe_read(const void *data, size_t bytes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return irc_read_avx512(data, bytes);
  if (__builtin_cpu_supports("avx2")) return irc_read_avx2(data, bytes);
#endif
  return irc_read_portable(data, bytes);
}

#if defined(__x86_64__)

IRC_FOR("avx512f") void irc_scale_avx512(float *x, size_t n, float factor) {
  __m512 f = _mm512_set1_ps(factor);
  for (size_t i = 0; i < n; i += 64) {
    _mm_prefetch((const char *)(x + i) + IRC_AHEAD, _MM_HINT_T0);
    _mm_prefetch((const char *)(x + i) + IRC_AHEAD + 64, _MM_HINT_T0);
    _mm_prefetch((const char *)(x + i) + IRC_AHEAD + 128, _MM_HINT_T0);
    _mm_prefetch((const char *)(x + i) + IRC_AHEAD + 192, _MM_HINT_T0);
    for (size_t j = 0; j < 64; j += 16)
      _mm512_storeu_ps(x + i + j, _mm512_mul_ps(_mm512_loadu_ps(x + i + j), f));
  }
}

IRC_FOR("avx2") void irc_scale_avx2(float *x, size_t n, float factor) {
  __m256 f = _mm256_set1_ps(factor);
  for (size_t i = 0; i < n; i += 8)
    _mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), f));
}

#endif

void irc_probe_scale(float *x, size_t n, float factor) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    irc_scale_avx512(x, n, factor);
    return;
  }
  if (__builtin_cpu_supports("avx2")) {
    irc_scale_avx2(x, n, factor);
    return;
  }
#endif
  for (size_t i = 0; i < n; i++) x[i] *= factor;
}

void irc_probe_fill(void *data, size_t bytes, uint64_t seed) {
  // Eight sequences of xorshift side by side, so that it keeps up with memory.
  uint64_t lane[8];
  for (uint64_t j = 0; j < 8; j++) {
    uint64_t z = (seed * 8 + j + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    lane[j] = (z ^ (z >> 31)) | 1;
  }
  char *x = data;
  for (size_t i = 0; i < bytes; i += sizeof lane) {
    for (int j = 0; j < 8; j++) {
      lane[j] ^= lane[j] << 13;
      lane[j] ^= lane[j] >> 7;
      lane[j] ^= lane[j] << 17;
    }
    memcpy(x + i, lane, bytes - i < sizeof lane ? bytes - i : sizeof lane);
  }
}

// ---- Arithmetic ---------------------------------------------------------------------------------

// Every loop has so many sums of their own that none waits for another.

#if defined(__x86_64__)

// A sum that the compiler can neither foresee nor fold.
#define IRC_KEEP(x) __asm__ volatile("" : "+v"(x))

IRC_FOR("avx512f,avx512vnni") double irc_peak_vnni(size_t rounds, int32_t *sink) {
  __m512i s[16], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-5);
  IRC_UNROLL
  for (int j = 0; j < 16; j++) s[j] = _mm512_set1_epi32(j);
  IRC_KEEP(a);
  IRC_KEEP(b);
  for (size_t r = 0; r < rounds; r++) {
    IRC_UNROLL
    for (int j = 0; j < 16; j++) {
      s[j] = _mm512_dpbusd_epi32(s[j], a, b);
      IRC_KEEP(s[j]);
    }
  }
  IRC_UNROLL
  for (int j = 1; j < 16; j++) s[0] = _mm512_add_epi32(s[0], s[j]);
  *sink = _mm512_reduce_add_epi32(s[0]);
  return (double)rounds * 16 * 64 * 2;
}

IRC_FOR("avx512f") double irc_peak_float_avx512(size_t rounds, int32_t *sink) {
  __m512 s[16], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  IRC_UNROLL
  for (int j = 0; j < 16; j++) s[j] = _mm512_set1_ps((float)j);
  IRC_KEEP(a);
  IRC_KEEP(b);
  for (size_t r = 0; r < rounds; r++) {
    IRC_UNROLL
    for (int j = 0; j < 16; j++) {
      s[j] = _mm512_fmadd_ps(s[j], a, b);
      IRC_KEEP(s[j]);
    }
  }
  IRC_UNROLL
  for (int j = 1; j < 16; j++) s[0] = _mm512_add_ps(s[0], s[j]);
  *sink = (int32_t)_mm512_reduce_add_ps(s[0]);
  return (double)rounds * 16 * 16 * 2;
}

// Ten sums: those, two operands and what lies between do with sixteen registers.
enum { IRC_SUMS_AVX2 = 10 };

IRC_FOR("avx2") double irc_peak_avx2(size_t rounds, int32_t *sink) {
  __m256i s[IRC_SUMS_AVX2], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-5);
  __m256i ones = _mm256_set1_epi16(1);
  IRC_UNROLL
  for (int j = 0; j < IRC_SUMS_AVX2; j++) s[j] = _mm256_set1_epi32(j);
  for (size_t r = 0; r < rounds; r++) {
    IRC_UNROLL
    for (int j = 0; j < IRC_SUMS_AVX2; j++) {
      __m256i pairs = a;
      IRC_KEEP(pairs);
      pairs = _mm256_maddubs_epi16(pairs, b);
      s[j] = _mm256_add_epi32(s[j], _mm256_madd_epi16(pairs, ones));
      IRC_KEEP(s[j]);
    }
  }
  IRC_UNROLL
  for (int j = 1; j < IRC_SUMS_AVX2; j++) s[0] = _mm256_add_epi32(s[0], s[j]);
  int32_t lane[8];
  _mm256_storeu_si256((__m256i *)(void *)lane, s[0]);
  *sink = lane[0] ^ lane[1] ^ lane[7];
  return (double)rounds * IRC_SUMS_AVX2 * 32 * 2;
}

IRC_FOR("avx2,fma") double irc_peak_float_avx2(size_t rounds, int32_t *sink) {
  __m256 s[IRC_SUMS_AVX2], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  IRC_UNROLL
  for (int j = 0; j < IRC_SUMS_AVX2; j++) s[j] = _mm256_set1_ps((float)j);
  IRC_KEEP(a);
  IRC_KEEP(b);
  for (size_t r = 0; r < rounds; r++) {
    IRC_UNROLL
    for (int j = 0; j < IRC_SUMS_AVX2; j++) {
      s[j] = _mm256_fmadd_ps(s[j], a, b);
      IRC_KEEP(s[j]);
    }
  }
  IRC_UNROLL
  for (int j = 1; j < IRC_SUMS_AVX2; j++) s[0] = _mm256_add_ps(s[0], s[j]);
  float lane[8];
  _mm256_storeu_ps(lane, s[0]);
  *sink = (int32_t)(lane[0] + lane[7]);
  return (double)rounds * IRC_SUMS_AVX2 * 8 * 2;
}

#if defined(__linux__)
#define IRC_HAS_AMX 1

// The layout that ldtilecfg reads.
typedef struct irc_tiles {
  uint8_t palette, start;
  uint8_t reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} irc_tiles;

IRC_FOR("amx-tile,amx-int8") double irc_peak_amx(size_t rounds, int32_t *sink) {
  irc_tiles tiles = {.palette = 1};
  for (int t = 0; t < 8; t++) {
    tiles.rows[t] = 16;
    tiles.bytes[t] = 64;
  }
  int8_t a[1024];
  int32_t sums[256];
  for (int i = 0; i < 1024; i++) a[i] = (int8_t)(i % 7 - 3);
  // gcc 12 believes that only eight bytes are read, and leaves out what was written to the others.
  __asm__ volatile("" : : "r"(&tiles) : "memory");
  _tile_loadconfig(&tiles);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, a, 64);
  _tile_loadd(5, a, 64);
  _tile_loadd(6, a, 64);
  _tile_loadd(7, a, 64);
  for (size_t r = 0; r < rounds; r++) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  int32_t sum = 0;
  _tile_stored(0, sums, 64);
  sum ^= sums[0];
  _tile_stored(1, sums, 64);
  sum ^= sums[0];
  _tile_stored(2, sums, 64);
  sum ^= sums[0];
  _tile_stored(3, sums, 64);
  _tile_release();
  *sink = sum ^ sums[0];
  return (double)rounds * 4 * 16 * 16 * 64 * 2;
}
#endif

#endif

static double irc_peak_portable(size_t rounds, int32_t *sink) {
  enum { N = 1024 };
  int8_t a[N], b[N];
  for (int i = 0; i < N; i++) {
    a[i] = (int8_t)(i % 11 - 5);
    b[i] = (int8_t)(i % 13 - 6);
  }
  uint32_t sum = 0;
  for (size_t r = 0; r < rounds; r++) {
    a[r % N] = (int8_t)(sum & 7);
    for (int i = 0; i < N; i++) sum += (uint32_t)(a[i] * b[i]);
  }
  *sink = (int32_t)sum;
  return (double)rounds * N * 2;
}

static double irc_peak_float(size_t rounds, int32_t *sink) {
  enum { N = 64 };
  float s[N];
  for (int i = 0; i < N; i++) s[i] = (float)i;
  float a = 0.5f + (float)(rounds % 2) * 0.125f, b = 0.25f;
  for (size_t r = 0; r < rounds; r++)
    for (int i = 0; i < N; i++) s[i] = s[i] * a + b;
  float sum = 0;
  for (int i = 0; i < N; i++) sum += s[i];
  *sink = (int32_t)sum;
  return (double)rounds * N * 2;
}

bool irc_peak_is_there(irc_peak peak) {
  switch (peak) {
    case IRC_PEAK_FLOAT:
    case IRC_PEAK_INT8_PORTABLE:
      return true;
#if defined(__x86_64__)
    case IRC_PEAK_INT8_AVX2:
      return __builtin_cpu_supports("avx2");
    case IRC_PEAK_INT8_VNNI:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
#if defined(IRC_HAS_AMX)
    case IRC_PEAK_INT8_AMX:
      return IRC_NAME(kernels_amx)() != NULL;
#endif
#endif
    default:
      return false;
  }
}

const char *irc_peak_name(irc_peak peak) {
  switch (peak) {
    case IRC_PEAK_FLOAT:
#if defined(__x86_64__)
      if (__builtin_cpu_supports("avx512f")) return "vfmadd zmm";
      if (__builtin_cpu_supports("fma")) return "vfmadd ymm";
#endif
      return "float loop";
    case IRC_PEAK_INT8_AVX2:
      return "vpmaddubsw + vpmaddwd + vpaddd ymm";
    case IRC_PEAK_INT8_VNNI:
      return "vpdpbusd zmm";
    case IRC_PEAK_INT8_AMX:
      return "tdpbssd";
    default:
      return "int8 loop";
  }
}

double irc_run_peak(irc_peak peak, size_t rounds, int32_t *sink) {
  switch (peak) {
#if defined(__x86_64__)
    case IRC_PEAK_FLOAT:
      if (__builtin_cpu_supports("avx512f")) return irc_peak_float_avx512(rounds, sink);
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return irc_peak_float_avx2(rounds, sink);
      return irc_peak_float(rounds, sink);
    case IRC_PEAK_INT8_AVX2:
      return irc_peak_avx2(rounds, sink);
    case IRC_PEAK_INT8_VNNI:
      return irc_peak_vnni(rounds, sink);
#if defined(IRC_HAS_AMX)
    case IRC_PEAK_INT8_AMX:
      return irc_peak_amx(rounds, sink);
#endif
#else
    case IRC_PEAK_FLOAT:
      return irc_peak_float(rounds, sink);
#endif
    default:
      return irc_peak_portable(rounds, sink);
  }
}

// ---- Processors ---------------------------------------------------------------------------------

bool irc_pin_thread(const uint32_t *processors, size_t count) {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < count; i++)
    if (processors[i] < CPU_SETSIZE) CPU_SET(processors[i], &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
#else
  (void)processors;
  (void)count;
  return false;
#endif
}

size_t irc_allowed_processors(uint32_t *processors, size_t room) {
  size_t count = 0;
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  for (uint32_t i = 0; i < CPU_SETSIZE && count < room; i++)
    if (CPU_ISSET(i, &set)) processors[count++] = i;
#else
  (void)processors;
  (void)room;
#endif
  return count;
}

void irc_pause(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
