// Kernels that are chosen by the processor alone; each follows the contract of the function of the
// same name without the ending.
#ifndef IRC_KERNELS_SETS_H
#define IRC_KERNELS_SETS_H

#include "irc_kernels.h"
#include "kernels_targets.h"

#define IRC_DECLARE_INTEGER(set)                                                                 \
  void IRC_NAME(linear_q_i8_##set)(                                                              \
    float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,       \
    const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,                          \
    const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch);  \
  void IRC_NAME(linear_q_i8_up_##set)(                                                           \
    float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,       \
    const float *x_scale, const int32_t *x_zero, size_t x_scale_stride,                          \
    const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,            \
    size_t hidden_stride, const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch)

#define IRC_DECLARE_PANELS(set)                                                                  \
  void IRC_NAME(linear_q_f32_##set)(                                                             \
    float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,        \
    const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch);  \
  void IRC_NAME(linear_q_f32_up_##set)(                                                          \
    float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,        \
    const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,            \
    size_t hidden_stride, const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch)

#if IRC_X86
IRC_DECLARE_PANELS(avx2);
IRC_DECLARE_PANELS(avx512);
IRC_DECLARE_INTEGER(avx2);
#endif
#if IRC_ARM
IRC_DECLARE_INTEGER(neon_dotprod);
IRC_DECLARE_INTEGER(neon_i8mm);
#endif

#endif
