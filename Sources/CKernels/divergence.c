// How far rows of logits lie apart. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_divergence.h"

#include <float.h>
#include <math.h>

#include "kernels_common.h"

// log of the sum of exp(x[i] - x_max), and the largest element.
static double irc_log_sum(const float *x, size_t n, float *largest) {
  float top = -INFINITY;
  for (size_t i = 0; i < n; i++) top = x[i] > top ? x[i] : top;
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += expf(x[i] - top);
  *largest = top;
  return log(sum);
}

IRC_CLONES irc_divergence IRC_NAME(divergence_rows)(
  const float *reference, const float *other, size_t rows, size_t n) {
  irc_divergence total = {0, 0, 0};
  for (size_t row = 0; row < rows; row++, reference += n, other += n) {
    float top_p, top_q;
    double log_p = irc_log_sum(reference, n, &top_p), log_q = irc_log_sum(other, n, &top_q);
    double kl = 0, noise = 0, signal = 0;
    for (size_t i = 0; i < n; i++) {
      double p = (double)(reference[i] - top_p) - log_p;
      double q = (double)(other[i] - top_q) - log_q;
      double difference = (double)other[i] - reference[i];
      if (p > -80) kl += exp(p) * (p - q);
      noise += difference * difference;
      signal += (double)reference[i] * reference[i];
    }
    total.kl += isfinite(kl) ? (kl > 0 ? kl : 0) : INFINITY;
    total.noise += noise;
    total.signal += signal;
  }
  return total;
}
