// How far rows of logits lie apart. Compiled into the compiler only.
#ifndef IRC_DIVERGENCE_H
#define IRC_DIVERGENCE_H

#include <stddef.h>

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Adds up over rows: what separates the logits `other` from the logits `reference`, (rows, n) each.
typedef struct irc_divergence {
  double kl;      // sum over rows of the Kullback-Leibler divergence of softmax(other) from softmax(reference), in nats
  double noise;   // sum of squares of the differences
  double signal;  // sum of squares of the reference
} irc_divergence;

// The divergence of `rows` rows; infinite `kl` where a logit of `other` is not finite.
irc_divergence IRC_NAME(divergence_rows)(
  const float *reference, const float *other, size_t rows, size_t n);

#ifdef __cplusplus
}
#endif

#endif
