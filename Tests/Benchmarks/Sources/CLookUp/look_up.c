#include "look_up.h"

#if defined(__x86_64__) && defined(__linux__)
#define CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

// The 256 sums of eight activations with every choice of signs.
static inline void make_table(float *restrict table, const float *restrict x) {
  float sum = 0;
  for (int k = 0; k < 8; k++) sum -= x[k];
  table[0] = sum;
  for (int k = 0; k < 8; k++)
    for (int m = 0; m < 1 << k; m++) table[m + (1 << k)] = table[m] + 2 * x[k];
}

CLONES void look_up_product(
  float *restrict y, const float *restrict x, const uint8_t *restrict planes,
  const float *restrict factors, size_t in, size_t out, size_t group, size_t bits,
  float *restrict tables) {
  size_t bytes = in / 8, groups = in / group, width = group / 8;
  for (size_t b = 0; b < bytes; b++) make_table(tables + 256 * b, x + 8 * b);
  for (size_t o = 0; o < out; o++) {
    float acc = 0;
    for (size_t g = 0; g < groups; g++)
      for (size_t q = 0; q < bits; q++) {
        const uint8_t *plane = planes + (o * bits + q) * bytes + g * width;
        const float *table = tables + 256 * g * width;
        float sum[4] = {0};
        for (size_t b = 0; b < width; b += 4)
          for (size_t l = 0; l < 4; l++) sum[l] += table[256 * (b + l) + plane[b + l]];
        acc += factors[(o * groups + g) * bits + q] * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
      }
    y[o] = acc;
  }
}
