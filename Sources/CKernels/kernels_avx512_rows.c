// Everything but integer products and Hadamard transforms for AVX-512.
#include "kernels_targets.h"

#if IRC_X86
#include <math.h>

#include "kernels_packed.h"
#include "kernels_sets.h"
#include "kernels_avx512_vector.h"
#include "kernels_vector_math.h"
#include "kernels_vector_products.h"
#include "kernels_vector_fitted.h"
#ifndef IRC_WITHOUT_SEQUENCES
#include "kernels_vector_sequence.h"
#endif
#else
typedef int irc_no_avx512_rows;
#endif
