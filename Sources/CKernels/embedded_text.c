// The emitted files, taken from the very files the compiler is built from.
#include "irc_embedded.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const char irc_kernels_h[] = {
#embed "include/irc_kernels.h" suffix(, 0)
};
static const char kernels_common_h[] = {
#embed "kernels_common.h" suffix(, 0)
};
static const char kernels_packed_h[] = {
#embed "kernels_packed.h" suffix(, 0)
};
static const char kernels_math_c[] = {
#embed "kernels_math.c" suffix(, 0)
};
static const char kernels_hadamard_h[] = {
#embed "kernels_hadamard.h" suffix(, 0)
};
static const char kernels_hadamard_c[] = {
#embed "kernels_hadamard.c" suffix(, 0)
};
static const char kernels_sequence_c[] = {
#embed "kernels_sequence.c" suffix(, 0)
};
static const char kernels_linear_c[] = {
#embed "kernels_linear.c" suffix(, 0)
};
static const char kernels_integer_h[] = {
#embed "kernels_integer.h" suffix(, 0)
};
static const char kernels_integer_c[] = {
#embed "kernels_integer.c" suffix(, 0)
};
static const char kernels_branch_down_h[] = {
#embed "kernels_branch_down.h" suffix(, 0)
};
static const char kernels_branch_c[] = {
#embed "kernels_branch.c" suffix(, 0)
};
static const char kernels_threads_h[] = {
#embed "kernels_threads.h" suffix(, 0)
};
static const char kernels_threads_c[] = {
#embed "kernels_threads.c" suffix(, 0)
};
static const char kernels_share_c[] = {
#embed "kernels_share.c" suffix(, 0)
};
static const char kernels_share_sequence_c[] = {
#embed "kernels_share_sequence.c" suffix(, 0)
};
static const char kernels_targets_h[] = {
#embed "kernels_targets.h" suffix(, 0)
};
static const char kernels_avx2_vector_h[] = {
#embed "kernels_avx2_vector.h" suffix(, 0)
};
static const char kernels_avx512_vector_h[] = {
#embed "kernels_avx512_vector.h" suffix(, 0)
};
static const char kernels_vector_quantize_h[] = {
#embed "kernels_vector_quantize.h" suffix(, 0)
};
static const char kernels_vector_math_h[] = {
#embed "kernels_vector_math.h" suffix(, 0)
};
static const char kernels_vector_products_h[] = {
#embed "kernels_vector_products.h" suffix(, 0)
};
static const char kernels_vector_fitted_h[] = {
#embed "kernels_vector_fitted.h" suffix(, 0)
};
static const char kernels_vector_sequence_h[] = {
#embed "kernels_vector_sequence.h" suffix(, 0)
};
static const char kernels_vector_hadamard_h[] = {
#embed "kernels_vector_hadamard.h" suffix(, 0)
};
static const char kernels_avx2_rows_c[] = {
#embed "kernels_avx2_rows.c" suffix(, 0)
};
static const char kernels_avx2_hadamard_c[] = {
#embed "kernels_avx2_hadamard.c" suffix(, 0)
};
static const char kernels_avx512_rows_c[] = {
#embed "kernels_avx512_rows.c" suffix(, 0)
};
static const char kernels_avx512_hadamard_c[] = {
#embed "kernels_avx512_hadamard.c" suffix(, 0)
};
static const char kernels_sets_h[] = {
#embed "kernels_sets.h" suffix(, 0)
};
static const char kernels_avx512_integer_h[] = {
#embed "kernels_avx512_integer.h" suffix(, 0)
};
static const char kernels_avx512_integer_c[] = {
#embed "kernels_avx512_integer.c" suffix(, 0)
};
static const char kernels_amx_integer_c[] = {
#embed "kernels_amx_integer.c" suffix(, 0)
};
static const char kernels_avx2_integer_h[] = {
#embed "kernels_avx2_integer.h" suffix(, 0)
};
static const char kernels_avx2_one_h[] = {
#embed "kernels_avx2_one.h" suffix(, 0)
};
static const char kernels_avx2_many_h[] = {
#embed "kernels_avx2_many.h" suffix(, 0)
};
static const char kernels_avx2_integer_c[] = {
#embed "kernels_avx2_integer.c" suffix(, 0)
};
static const char kernels_vector_panels_h[] = {
#embed "kernels_vector_panels.h" suffix(, 0)
};
static const char kernels_avx2_panels_c[] = {
#embed "kernels_avx2_panels.c" suffix(, 0)
};
static const char kernels_avx512_panels_c[] = {
#embed "kernels_avx512_panels.c" suffix(, 0)
};
static const char kernels_neon_integer_c[] = {
#embed "kernels_neon_integer.c" suffix(, 0)
};
static const char kernels_dispatch_c[] = {
#embed "kernels_dispatch.c" suffix(, 0)
};

#define FILE_ENTRY(name, text) {name, text, sizeof text - 1}

static const irc_embedded_file files[] = {
  FILE_ENTRY("irc_kernels.h", irc_kernels_h),
  FILE_ENTRY("kernels_common.h", kernels_common_h),
  FILE_ENTRY("kernels_packed.h", kernels_packed_h),
  FILE_ENTRY("kernels_math.c", kernels_math_c),
  FILE_ENTRY("kernels_hadamard.h", kernels_hadamard_h),
  FILE_ENTRY("kernels_hadamard.c", kernels_hadamard_c),
  FILE_ENTRY("kernels_sequence.c", kernels_sequence_c),
  FILE_ENTRY("kernels_linear.c", kernels_linear_c),
  FILE_ENTRY("kernels_integer.h", kernels_integer_h),
  FILE_ENTRY("kernels_integer.c", kernels_integer_c),
  FILE_ENTRY("kernels_branch_down.h", kernels_branch_down_h),
  FILE_ENTRY("kernels_branch.c", kernels_branch_c),
  FILE_ENTRY("kernels_threads.h", kernels_threads_h),
  FILE_ENTRY("kernels_threads.c", kernels_threads_c),
  FILE_ENTRY("kernels_share.c", kernels_share_c),
  FILE_ENTRY("kernels_share_sequence.c", kernels_share_sequence_c),
  FILE_ENTRY("kernels_targets.h", kernels_targets_h),
  FILE_ENTRY("kernels_avx2_vector.h", kernels_avx2_vector_h),
  FILE_ENTRY("kernels_avx512_vector.h", kernels_avx512_vector_h),
  FILE_ENTRY("kernels_vector_quantize.h", kernels_vector_quantize_h),
  FILE_ENTRY("kernels_vector_math.h", kernels_vector_math_h),
  FILE_ENTRY("kernels_vector_products.h", kernels_vector_products_h),
  FILE_ENTRY("kernels_vector_fitted.h", kernels_vector_fitted_h),
  FILE_ENTRY("kernels_vector_sequence.h", kernels_vector_sequence_h),
  FILE_ENTRY("kernels_vector_hadamard.h", kernels_vector_hadamard_h),
  FILE_ENTRY("kernels_avx2_rows.c", kernels_avx2_rows_c),
  FILE_ENTRY("kernels_avx2_hadamard.c", kernels_avx2_hadamard_c),
  FILE_ENTRY("kernels_avx512_rows.c", kernels_avx512_rows_c),
  FILE_ENTRY("kernels_avx512_hadamard.c", kernels_avx512_hadamard_c),
  FILE_ENTRY("kernels_sets.h", kernels_sets_h),
  FILE_ENTRY("kernels_avx512_integer.h", kernels_avx512_integer_h),
  FILE_ENTRY("kernels_avx512_integer.c", kernels_avx512_integer_c),
  FILE_ENTRY("kernels_amx_integer.c", kernels_amx_integer_c),
  FILE_ENTRY("kernels_avx2_integer.h", kernels_avx2_integer_h),
  FILE_ENTRY("kernels_avx2_one.h", kernels_avx2_one_h),
  FILE_ENTRY("kernels_avx2_many.h", kernels_avx2_many_h),
  FILE_ENTRY("kernels_avx2_integer.c", kernels_avx2_integer_c),
  FILE_ENTRY("kernels_vector_panels.h", kernels_vector_panels_h),
  FILE_ENTRY("kernels_avx2_panels.c", kernels_avx2_panels_c),
  FILE_ENTRY("kernels_avx512_panels.c", kernels_avx512_panels_c),
  FILE_ENTRY("kernels_neon_integer.c", kernels_neon_integer_c),
  FILE_ENTRY("kernels_dispatch.c", kernels_dispatch_c),
};

const irc_embedded_file *irc_embedded_files(void) { return files; }

size_t irc_embedded_file_count(void) { return sizeof files / sizeof files[0]; }
