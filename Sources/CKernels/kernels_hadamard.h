// The steps of fast Hadamard transforms for one type of numbers, read once for each type: the includer defines IRC_REAL
// and IRC_STEP(name), which makes a static function's name. Everything is static.
//
// A transform is a product with a Kronecker product of dense bases and of Sylvester's matrix of a power of two. Stages
// run from the outermost digit of the index to the innermost. Every number is the result of the same additions in the
// same order whatever the vectors are, so all compilers and instruction sets agree in every bit.
#include "kernels_common.h"

// Eight numbers side by side. Where the compiler has vectors of its own, these are they.
#if defined(__has_builtin) && !defined(IRC_PLAIN_VECTORS)
#if __has_builtin(__builtin_shufflevector)
#define IRC_VECTORS 1
#endif
#endif

#define IRC_V IRC_STEP(vector)
#ifdef IRC_VECTORS
typedef IRC_REAL IRC_V __attribute__((vector_size(8 * sizeof(IRC_REAL))));
#define IRC_V_ADD(y, a, b) ((y) = (a) + (b))
#define IRC_V_SUBTRACT(y, a, b) ((y) = (a) - (b))
#else
typedef struct IRC_V {
  IRC_REAL lane[8];
} IRC_V;
#define IRC_V_EACH(y, value)                               \
  do {                                                     \
    IRC_V irc_made;                                        \
    for (int l = 0; l < 8; l++) irc_made.lane[l] = value;  \
    (y) = irc_made;                                        \
  } while (0)
#define IRC_V_ADD(y, a, b) IRC_V_EACH(y, (a).lane[l] + (b).lane[l])
#define IRC_V_SUBTRACT(y, a, b) IRC_V_EACH(y, (a).lane[l] - (b).lane[l])
#endif

// (v[i], v[j]) -> (v[i] + v[j], v[i] - v[j])
#define IRC_BUTTERFLY(i, j)              \
  do {                                   \
    IRC_V irc_left = v[i];               \
    IRC_V irc_right = v[j];              \
    IRC_V_ADD(v[i], irc_left, irc_right);      \
    IRC_V_SUBTRACT(v[j], irc_left, irc_right); \
  } while (0)

// ---- Sylvester's matrix -------------------------------------------------------------------------

// Distances 4, 2 and 1 among eight vectors; of fewer, the last of these.
IRC_INLINE void IRC_STEP(butterflies)(IRC_V *v, size_t count) {
  if (count == 8) {
    IRC_BUTTERFLY(0, 4);
    IRC_BUTTERFLY(1, 5);
    IRC_BUTTERFLY(2, 6);
    IRC_BUTTERFLY(3, 7);
    IRC_BUTTERFLY(4, 6);
    IRC_BUTTERFLY(5, 7);
    IRC_BUTTERFLY(4, 5);
    IRC_BUTTERFLY(6, 7);
  }
  if (count >= 4) {
    IRC_BUTTERFLY(0, 2);
    IRC_BUTTERFLY(1, 3);
    IRC_BUTTERFLY(2, 3);
  }
  IRC_BUTTERFLY(0, 1);
}

// The stages of distances `near`, 2 `near` ... radix / 2 * `near`, the largest first; `near` is a multiple of 8.
IRC_INLINE void IRC_STEP(pass)(IRC_REAL *x, size_t n, size_t near, size_t radix) {
  for (size_t start = 0; start < n; start += radix * near)
    for (size_t j = 0; j < near; j += 8) {
      IRC_REAL *at = x + start + j;
      IRC_V v[8];
      for (size_t k = 0; k < radix; k++) memcpy(&v[k], at + k * near, sizeof v[k]);
      IRC_STEP(butterflies)(v, radix);
      for (size_t k = 0; k < radix; k++) memcpy(at + k * near, &v[k], sizeof v[k]);
    }
}

// The stages of distances `far`, far / 2 ... `near`, three at a time; `near` is a multiple of 8.
IRC_INLINE void IRC_STEP(passes)(IRC_REAL *x, size_t n, size_t far, size_t near) {
  size_t stages = 0;
  for (size_t distance = far; distance >= near; distance /= 2) stages++;
  if (stages % 3 == 1) {
    IRC_STEP(pass)(x, n, far, 2);
    far /= 2;
  } else if (stages % 3 == 2) {
    IRC_STEP(pass)(x, n, far / 2, 4);
    far /= 4;
  }
  for (; far >= near; far /= 8) IRC_STEP(pass)(x, n, far / 4, 8);
}

// Row i, column j <-> row j, column i of eight vectors.
IRC_INLINE void IRC_STEP(transpose)(IRC_V *v) {
#ifdef IRC_VECTORS
  IRC_V t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      u[i + 2 * j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      u[i + 2 * j + 1] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; i++) {
    v[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#else
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < i; j++) {
      IRC_REAL kept = v[i].lane[j];
      v[i].lane[j] = v[j].lane[i];
      v[j].lane[i] = kept;
    }
#endif
}

// The stages of distances across / 2 * 8 ... 8, then 4, 2 and 1, of 64 numbers; `across` is 1, 2, 4 or 8.
IRC_INLINE void IRC_STEP(tile)(IRC_REAL *x, size_t across) {
  IRC_V v[8];
  for (int i = 0; i < 8; i++) memcpy(&v[i], x + 8 * i, sizeof v[i]);
  if (across == 8) {
    IRC_STEP(butterflies)(v, 8);
  } else if (across == 4) {
    IRC_STEP(butterflies)(v, 4);
    IRC_STEP(butterflies)(v + 4, 4);
  } else if (across == 2) {
    for (int i = 0; i < 8; i += 2) IRC_BUTTERFLY(i, i + 1);
  }
  IRC_STEP(transpose)(v);
  IRC_STEP(butterflies)(v, 8);
  IRC_STEP(transpose)(v);
  for (int i = 0; i < 8; i++) memcpy(x + 8 * i, &v[i], sizeof v[i]);
}

// Each run of `power` numbers times Sylvester's matrix of that order, a power of two; n is a multiple of it.
IRC_INLINE void IRC_STEP(sylvester)(IRC_REAL *x, size_t n, size_t power) {
  size_t tiled = 0;
  if (power >= 8) {
    tiled = n / 64 * 64;
    if (power > 64) IRC_STEP(passes)(x, n, power / 2, 64);
    if (power >= 64)
      for (size_t i = 0; i < tiled; i += 64) IRC_STEP(tile)(x + i, 8);
    else
      for (size_t i = 0; i < tiled; i += 64) IRC_STEP(tile)(x + i, power / 8);
  }
  for (size_t distance = power / 2; distance > 0; distance /= 2)
    for (size_t start = tiled; start < n; start += 2 * distance)
      for (size_t i = start; i < start + distance; i++) {
        IRC_REAL left = x[i], right = x[i + distance];
        x[i] = left + right;
        x[i + distance] = left - right;
      }
}

// ---- Bases --------------------------------------------------------------------------------------

// Groups of four rows whose signed sums are held at once: 16 sums of 16 numbers each.
// A multiple of 8, whose signs fill a word.
enum { IRC_STEP(groups) = 16, IRC_STEP(sums) = IRC_STEP(groups) * 16 * 16 };

// y[p] = the sum of four rows of 16 numbers, row i negated where bit i of p is set: (4, 16) with a stride -> (16, 16)
IRC_INLINE void IRC_STEP(signed_sums)(
  IRC_REAL *IRC_RESTRICT y, const IRC_REAL *IRC_RESTRICT x, size_t stride) {
  for (int half = 0; half < 16; half += 8) {
    IRC_V v[4], zero, first[4], second[4];
    for (size_t i = 0; i < 4; i++) memcpy(&v[i], x + i * stride + half, sizeof v[i]);
    memset(&zero, 0, sizeof zero);
    IRC_V_ADD(first[0], v[0], v[1]);
    IRC_V_SUBTRACT(first[1], v[1], v[0]);
    IRC_V_SUBTRACT(first[2], v[0], v[1]);
    IRC_V_SUBTRACT(first[3], zero, first[0]);
    IRC_V_ADD(second[0], v[2], v[3]);
    IRC_V_SUBTRACT(second[1], v[3], v[2]);
    IRC_V_SUBTRACT(second[2], v[2], v[3]);
    IRC_V_SUBTRACT(second[3], zero, second[0]);
    for (int p = 0; p < 16; p++) {
      IRC_V sum;
      IRC_V_ADD(sum, first[p % 4], second[p / 4]);
      memcpy(y + p * 16 + half, &sum, sizeof sum);
    }
  }
}

// Four rows of outputs, (4, 16) with a stride, each the sum of `groups` of the signed sums and, if `adds`, of what it holds.
IRC_INLINE void IRC_STEP(add_sums)(
  IRC_REAL *IRC_RESTRICT y, size_t stride, const IRC_REAL *IRC_RESTRICT sums,
  const uint32_t *IRC_RESTRICT signs, size_t words, size_t groups, bool adds) {
  IRC_V v[8];
  for (size_t i = 0; i < 8; i++) {
    if (adds)
      memcpy(&v[i], y + i / 2 * stride + i % 2 * 8, sizeof v[i]);
    else
      memset(&v[i], 0, sizeof v[i]);
  }
  for (size_t g = 0; g < groups;) {
    uint32_t word[4];
    for (size_t r = 0; r < 4; r++) word[r] = signs[r * words + g / 8];
    size_t end = g + 8 < groups ? g + 8 : groups;
    for (; g < end; g++, sums += 256)
      for (size_t r = 0; r < 4; r++) {
        const IRC_REAL *at = sums + (word[r] & 15) * 16;
        IRC_V left, right;
        word[r] >>= 4;
        memcpy(&left, at, sizeof left);
        memcpy(&right, at + 8, sizeof right);
        IRC_V_ADD(v[2 * r], v[2 * r], left);
        IRC_V_ADD(v[2 * r + 1], v[2 * r + 1], right);
      }
  }
  for (size_t i = 0; i < 8; i++) memcpy(y + i / 2 * stride + i % 2 * 8, &v[i], sizeof v[i]);
}

// Sixteen columns of the product with a base, all rows at once: (order, 16) -> (order, 16), each with a stride. The rows
// go in groups of four: all signed sums of a group are made once, and each output picks one of them. y may be x if
// there are no more than `groups` groups.
IRC_INLINE void IRC_STEP(columns_of_base)(
  IRC_REAL *y, size_t y_stride, const IRC_REAL *x, size_t x_stride, const irc_hadamard_base *base,
  IRC_REAL *IRC_RESTRICT sums) {
  size_t words = (base->order + 31) / 32;
  for (size_t first = 0; first < base->order / 4; first += IRC_STEP(groups)) {
    size_t groups = base->order / 4 - first;
    if (groups > IRC_STEP(groups)) groups = IRC_STEP(groups);
    for (size_t g = 0; g < groups; g++)
      IRC_STEP(signed_sums)(sums + g * 256, x + (first + g) * 4 * x_stride, x_stride);
    for (size_t b = 0; b < base->order; b += 4)
      IRC_STEP(add_sums)
      (y + b * y_stride, y_stride, sums, base->signs + b * words + first / 8, words, groups,
       first > 0);
  }
}

// (order, inner) -> (order, inner), column by column and in place: y[b] = the sum over a of x[a] H[a, b].
// `scratch` holds two blocks of sixteen columns, and the sums between them.
IRC_INLINE void IRC_STEP(base)(
  IRC_REAL *x, size_t inner, const irc_hadamard_base *base, IRC_REAL *IRC_RESTRICT scratch) {
  size_t order = base->order;
  IRC_REAL *block = scratch, *sums = scratch + order * 16;
  size_t c = 0;
  for (; c + 16 <= inner; c += 16) {
    if (order / 4 <= IRC_STEP(groups)) {
      IRC_STEP(columns_of_base)(x + c, inner, x + c, inner, base, sums);
      continue;
    }
    for (size_t a = 0; a < order; a++)
      memcpy(block + a * 16, x + a * inner + c, 16 * sizeof(IRC_REAL));
    IRC_STEP(columns_of_base)(x + c, inner, block, 16, base, sums);
  }
  if (c == inner) return;
  memset(block, 0, order * 16 * sizeof(IRC_REAL));
  for (size_t a = 0; a < order; a++)
    memcpy(block + a * 16, x + a * inner + c, (inner - c) * sizeof(IRC_REAL));
  IRC_REAL *output = sums + IRC_STEP(sums);
  IRC_STEP(columns_of_base)(output, 16, block, 16, base, sums);
  for (size_t b = 0; b < order; b++)
    memcpy(x + b * inner + c, output + b * 16, (inner - c) * sizeof(IRC_REAL));
}

// All bases of a transform, the outermost first; `inner` numbers lie between neighbours of the whole index.
IRC_INLINE void IRC_STEP(bases)(
  IRC_REAL *x, size_t inner, const irc_hadamard *h, IRC_REAL *IRC_RESTRICT scratch) {
  size_t run = h->order * inner;
  for (size_t i = 0; i < h->bases; i++) {
    size_t order = h->base[i].order;
    for (size_t start = 0; start < h->order * inner; start += run)
      IRC_STEP(base)(x + start, run / order, &h->base[i], scratch);
    run /= order;
  }
}

// ---- Signs --------------------------------------------------------------------------------------

// +1, or -1 where the bit of number i is set; 16 neighbours have one place in as many words.
IRC_INLINE int32_t IRC_STEP(sign)(const uint32_t *signs, size_t i) {
  return 1 - 2 * (int32_t)(signs[i / 512 * 16 + i % 16] >> (i / 16 % 32) & 1);
}

// y = x * scale, negated where the signs, if any, say so; y may be x itself.
IRC_INLINE void IRC_STEP(scaled)(
  IRC_REAL *y, const IRC_REAL *x, const uint32_t *signs, size_t n, IRC_REAL scale) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    IRC_REAL chunk[16];
    if (signs) {
      const uint32_t *words = signs + i / 512 * 16;
      int place = (int)(i / 16 % 32);
      for (int l = 0; l < 16; l++)
        chunk[l] = x[i + l] * (scale * (IRC_REAL)(1 - 2 * (int32_t)(words[l] >> place & 1)));
    } else {
      for (int l = 0; l < 16; l++) chunk[l] = x[i + l] * scale;
    }
    memcpy(y + i, chunk, sizeof chunk);
  }
  for (; i < n; i++) y[i] = x[i] * (signs ? scale * (IRC_REAL)IRC_STEP(sign)(signs, i) : scale);
}

// ---- Rows ---------------------------------------------------------------------------------------

// (rows, n) with a stride -> (rows, n) dense: what irc_kernels.h says of hadamard_f32.
IRC_INLINE void IRC_STEP(rows)(
  IRC_REAL *y, const IRC_REAL *x, size_t x_stride, size_t rows, size_t n, const irc_hadamard *h,
  IRC_REAL *IRC_RESTRICT scratch) {
  for (size_t r = 0; r < rows; r++)
    for (size_t start = 0; start < n; start += h->order) {
      IRC_REAL *block = y + r * n + start;
      IRC_STEP(scaled)
      (block, x + r * x_stride + start, h->signs_before, h->order, (IRC_REAL)h->scale);
      IRC_STEP(bases)(block, 1, h, scratch);
      IRC_STEP(sylvester)(block, h->order, h->power);
      if (h->signs_after) IRC_STEP(scaled)(block, block, h->signs_after, h->order, 1);
    }
}

#undef IRC_V
#undef IRC_V_ADD
#undef IRC_V_SUBTRACT
#undef IRC_V_EACH
#undef IRC_BUTTERFLY
