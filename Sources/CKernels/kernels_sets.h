// Kernels that are chosen by the processor alone; each follows the contract of the function of the same
// name without the ending.
#ifndef IRC_KERNELS_SETS_H
#define IRC_KERNELS_SETS_H

#include "irc_kernels.h"
#include "kernels_targets.h"

// Adds hidden @ up^T to a product; `room`: irc_branch_room_bytes(rank). It shares its scratch.
// (tokens, rank) @ (out, rank)^T -> (tokens, out)
void IRC_NAME(add_branch)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT room);

// Each is of the type of the one without the ending.
#define IRC_TYPED(name, set) extern __typeof__(IRC_NAME(name)) IRC_NAME(name##_##set)
#define IRC_DECLARE_INTEGER(set) \
  IRC_TYPED(linear_q_i8, set);   \
  IRC_TYPED(linear_q_i8_up, set)
// The product of a set with weights whose groups have values of their own, of at most four bits.
#define IRC_DECLARE_FITTED(set) \
  extern __typeof__(IRC_NAME(linear_q_f32)) IRC_NAME(linear_q_fitted_##set)
#define IRC_DECLARE_PANELS(set) \
  IRC_TYPED(linear_q_f32, set); \
  IRC_TYPED(linear_q_f32_up, set)
#define IRC_DECLARE_ROWS(set)          \
  IRC_TYPED(linear_f32, set); \
  IRC_TYPED(linear_f16, set); \
  IRC_TYPED(quantize_tokens_i8, set); \
  IRC_TYPED(quantize_static_i8, set); \
  IRC_TYPED(quantize_tokens_down, set); \
  IRC_TYPED(quantize_static_down, set); \
  IRC_TYPED(add_branch, set); \
  IRC_TYPED(exp_f32, set); \
  IRC_TYPED(negate_f32, set); \
  IRC_TYPED(silu_rows_f32, set); \
  IRC_TYPED(softplus_rows_f32, set); \
  IRC_TYPED(scaled_silu_rows_f32, set); \
  IRC_TYPED(div_rows_f32, set); \
  IRC_TYPED(add_rows_f32, set); \
  IRC_TYPED(mul_rows_f32, set); \
  IRC_TYPED(rms_norm_f32, set); \
  IRC_TYPED(layer_norm_f32, set); \
  IRC_TYPED(attention_f32, set); \
  IRC_TYPED(attention_i8, set); \
  IRC_TYPED(causal_conv_f32, set); \
  IRC_TYPED(selective_scan_f32, set); \
  IRC_TYPED(hadamard_f32, set); \
  IRC_TYPED(hadamard_tokens_i8, set)

#if IRC_X86
IRC_DECLARE_INTEGER(avx2);
IRC_DECLARE_INTEGER(avx512);
IRC_DECLARE_INTEGER(amx);
IRC_DECLARE_PANELS(avx2);
IRC_DECLARE_PANELS(avx512);
IRC_DECLARE_FITTED(avx2);
IRC_DECLARE_FITTED(avx512);
IRC_DECLARE_ROWS(avx2);
IRC_DECLARE_ROWS(avx512);
#endif
#if IRC_ARM
IRC_DECLARE_INTEGER(neon_dotprod);
IRC_DECLARE_INTEGER(neon_i8mm);
#endif

// Defines linear_q_i8_up of a set: its product, to which a function adds the branch.
#define IRC_DEFINE_INTEGER_UP(set, target, add_branch)                                           \
  target void IRC_NAME(linear_q_i8_up_##set)(                                                    \
    float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,       \
    const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,                          \
    const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,            \
    size_t hidden_stride, const irc_real_weights *up, size_t tokens,                             \
    void *IRC_RESTRICT scratch) {                                                                \
    IRC_NAME(linear_q_i8_##set)(                                                                 \
      y, y_stride, x, x_stride, x_scale, x_zero, x_scale_stride, w, bias, tokens, scratch);      \
    IRC_NAME(add_branch)(y, y_stride, hidden, hidden_stride, up, tokens, scratch);               \
  }

#endif
