// The product of LUT-GEMM (arXiv 2206.09557, section 3.2) in portable C, to be measured against ours.
#ifndef LOOK_UP_H
#define LOOK_UP_H

#include <stddef.h>
#include <stdint.h>

// y[o] = sum over groups g and bits q of factor[o, g, q] * sum of +-x in the group, by bit planes
// (out, bits, in / 8): bit k of byte b is set where x[8 b + k] is added. Groups are multiples of 32;
// `tables` holds 32 * in floats.
void look_up_product(
  float *restrict y, const float *restrict x, const uint8_t *restrict planes,
  const float *restrict factors, size_t in, size_t out, size_t group, size_t bits,
  float *restrict tables);

#endif
