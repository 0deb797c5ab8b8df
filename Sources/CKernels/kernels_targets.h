// Instruction sets. A kernel names the set that it needs, so that one text compiles with any flags, and
// a program asks the processor which kernels it may call.
#ifndef IRC_KERNELS_TARGETS_H
#define IRC_KERNELS_TARGETS_H

#if defined(__GNUC__) && defined(__x86_64__)
#define IRC_X86 1
#define IRC_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define IRC_TARGET_AVX512_VNNI \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define IRC_TARGET_AMX \
  __attribute__((target( \
    "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8")))
#else
#define IRC_X86 0
#endif

#if defined(__GNUC__) && defined(__aarch64__) && defined(__linux__)
#define IRC_ARM 1
#define IRC_TARGET_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod+fp16")))
#define IRC_TARGET_I8MM __attribute__((target("arch=armv8.2-a+dotprod+fp16+i8mm")))
#else
#define IRC_ARM 0
#endif

// Whether a set of kernels is there: wherever its instructions may be, unless whoever compiles this leaves the
// files of the set out and says so.
#ifndef IRC_WITH_AVX2
#define IRC_WITH_AVX2 IRC_X86
#endif
#ifndef IRC_WITH_AVX512
#define IRC_WITH_AVX512 IRC_X86
#endif
#ifndef IRC_WITH_AMX
#define IRC_WITH_AMX IRC_WITH_AVX512
#endif
#ifndef IRC_WITH_NEON
#define IRC_WITH_NEON IRC_ARM
#endif

// Bit b is set where weights have codes of b bits: an emitted library says which it has, and does without the
// kernels of others.
#ifndef IRC_BITS
#define IRC_BITS 0x1fc
#endif
#define IRC_HAS_BITS(bits) (IRC_BITS >> (bits) & 1)

#endif
