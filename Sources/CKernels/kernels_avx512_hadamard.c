// Fast Hadamard transforms of rows for AVX-512.
#include "kernels_targets.h"

#if IRC_X86
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#define IRC_REAL float
#define IRC_STEP(name) irc_hadamard_##name##_f32
#include "kernels_hadamard.h"

#include "kernels_avx512_vector.h"
#include "kernels_vector_hadamard.h"
#else
typedef int irc_no_avx512_hadamard;
#endif
