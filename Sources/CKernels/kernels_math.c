// Elementwise functions, normalisation and embeddings.
#include <math.h>

#include "kernels_common.h"

// y[i] = f(...) for i < n, through a local block: y may be an input itself, and the compiler still
// needs no proof that they are apart.
enum { IRC_CHUNK = 256 };

#define IRC_ELEMENTWISE(value)                                             \
  for (size_t i = 0; i < n; i += IRC_CHUNK) {                              \
    float chunk[IRC_CHUNK];                                                \
    size_t count = n - i < IRC_CHUNK ? n - i : IRC_CHUNK;                  \
    for (size_t j = 0; j < count; j++) chunk[j] = value;                   \
    memcpy(y + i, chunk, count * sizeof(float));                           \
  }

IRC_CLONES void IRC_NAME(exp_f32)(float *y, const float *x, size_t n) {
  IRC_ELEMENTWISE(irc_exp(x[i + j]))
}

IRC_CLONES void IRC_NAME(softplus_f32)(float *y, const float *x, size_t n) {
  IRC_ELEMENTWISE(irc_softplus(x[i + j]))
}

IRC_CLONES void IRC_NAME(sigmoid_f32)(float *y, const float *x, size_t n) {
  IRC_ELEMENTWISE(irc_sigmoid(x[i + j]))
}

IRC_CLONES void IRC_NAME(silu_f32)(float *y, const float *x, size_t n) {
  IRC_ELEMENTWISE(irc_silu(x[i + j]))
}

IRC_CLONES void IRC_NAME(negate_f32)(float *y, const float *x, size_t n) {
  IRC_ELEMENTWISE(-x[i + j])
}

IRC_CLONES void IRC_NAME(add_f32)(float *y, const float *a, const float *b, size_t n) {
  IRC_ELEMENTWISE(a[i + j] + b[i + j])
}

IRC_CLONES void IRC_NAME(mul_f32)(float *y, const float *a, const float *b, size_t n) {
  IRC_ELEMENTWISE(a[i + j] * b[i + j])
}

void IRC_NAME(silu_rows_f32)(float *y, const float *x, size_t x_stride, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++) IRC_NAME(silu_f32)(y + r * n, x + r * x_stride, n);
}

void IRC_NAME(softplus_rows_f32)(float *y, const float *x, size_t x_stride, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++) IRC_NAME(softplus_f32)(y + r * n, x + r * x_stride, n);
}

IRC_CLONES void IRC_NAME(scaled_silu_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *scale, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n)
    IRC_ELEMENTWISE(irc_scaled_silu(x[i + j], x[i + j] * scale[i + j]))
}

IRC_CLONES void IRC_NAME(div_rows_f32)(
  float *y, const float *x, size_t x_stride, const float *divisor, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n)
    IRC_ELEMENTWISE(x[i + j] / divisor[i + j])
}

void IRC_NAME(add_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride,
  size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++)
    IRC_NAME(add_f32)(y + r * n, a + r * a_stride, b + r * b_stride, n);
}

void IRC_NAME(mul_rows_f32)(
  float *y, const float *a, size_t a_stride, const float *b, size_t b_stride,
  size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++)
    IRC_NAME(mul_f32)(y + r * n, a + r * a_stride, b + r * b_stride, n);
}

IRC_CLONES void IRC_NAME(f16_to_f32)(
  float *IRC_RESTRICT y, const uint16_t *IRC_RESTRICT x, size_t n) {
  irc_floats_of_f16(y, x, n);
}

IRC_CLONES void IRC_NAME(rms_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, size_t rows, size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n) {
    float mean = irc_dot(x, x, n) / (float)n;
    float factor = 1.0f / sqrtf(mean + eps);
    if (gain)
      IRC_ELEMENTWISE(x[i + j] * factor * gain[i + j])
    else
      IRC_ELEMENTWISE(x[i + j] * factor)
  }
}

IRC_CLONES void IRC_NAME(layer_norm_f32)(
  float *y, const float *x, size_t x_stride, const float *gain, const float *bias, size_t rows,
  size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += n) {
    float mean = irc_sum(x, n) / (float)n;
    IRC_ELEMENTWISE(x[i + j] - mean)
    float variance = irc_dot(y, y, n) / (float)n;
    float factor = 1.0f / sqrtf(variance + eps);
    IRC_ELEMENTWISE(y[i + j] * factor)
    if (gain) IRC_ELEMENTWISE(y[i + j] * gain[i + j])
    if (bias) IRC_ELEMENTWISE(y[i + j] + bias[i + j])
  }
}

void IRC_NAME(embedding_f32)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const float *IRC_RESTRICT table,
  size_t tokens, size_t n) {
  for (size_t t = 0; t < tokens; t++)
    memcpy(y + t * n, table + (size_t)ids[t] * n, n * sizeof(float));
}

void IRC_NAME(embedding_f16)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const uint16_t *IRC_RESTRICT table,
  size_t tokens, size_t n) {
  for (size_t t = 0; t < tokens; t++)
    IRC_NAME(f16_to_f32)(y + t * n, table + (size_t)ids[t] * n, n);
}

void IRC_NAME(embedding_q)(
  float *IRC_RESTRICT y, const int32_t *IRC_RESTRICT ids, const irc_packed_weights *table,
  size_t tokens) {
  for (size_t t = 0; t < tokens; t++)
    IRC_NAME(dequantize_row)(y + t * table->in, table, (size_t)ids[t]);
}
