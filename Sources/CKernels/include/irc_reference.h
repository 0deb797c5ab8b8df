// The definitions the tuned kernels are tested against: the simplest loops that follow the
// contracts of irc_kernels.h. Compiled into the compiler, never emitted.
#ifndef IRC_REFERENCE_H
#define IRC_REFERENCE_H

#include "irc_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Code i of a packed row.
int32_t IRC_NAME(code_at_ref)(const void *row, size_t i, uint32_t bits);

// Same bits as linear_q_i8, quantize_tokens_i8 and quantize_static_i8.
void IRC_NAME(linear_q_i8_ref)(
  float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
  const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w, const float *bias,
  size_t tokens);
void IRC_NAME(quantize_tokens_i8_ref)(
  int8_t *codes, size_t code_stride, float *scale, int32_t *zero, const float *x, size_t x_stride,
  size_t tokens, size_t n, uint32_t bits);
void IRC_NAME(quantize_static_i8_ref)(
  int8_t *codes, size_t code_stride, const float *x, size_t x_stride, size_t tokens, size_t n,
  float scale, int32_t zero, int32_t low, int32_t high);

// Same bits as attention_i8, with the exp of the portable kernels.
void IRC_NAME(attention_i8_ref)(
  float *y, const float *q, size_t q_stride, const int8_t *k, size_t k_stride,
  const float *k_scale, const int8_t *v, size_t v_stride, const float *v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window, void *scratch);

// Same bits as linear_f32, linear_f16 and linear_q_f32: sixteen lanes, one element after the other.
void IRC_NAME(linear_f32_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, const float *bias,
  size_t tokens, size_t in, size_t out);
void IRC_NAME(linear_f16_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const uint16_t *w, const float *bias,
  size_t tokens, size_t in, size_t out);
void IRC_NAME(linear_q_f32_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens);

// The value of a half, computed by ldexp.
float IRC_NAME(f16_value_ref)(uint16_t half);

#ifdef __cplusplus
}
#endif
#endif
