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
  memcpy(v, x, sizeof v);
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
  memcpy(x, v, sizeof v);
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
enum { IRC_STEP(groups) = 16, IRC_STEP(sums) = IRC_STEP(groups) * 16 * 16 };

// y[p] = the sum of four rows of 16 numbers, row i negated where bit i of p is set: (4, 16) -> (16, 16)
IRC_INLINE void IRC_STEP(signed_sums)(
  IRC_REAL *IRC_RESTRICT y, const IRC_REAL *IRC_RESTRICT x) {
  for (int half = 0; half < 16; half += 8) {
    IRC_V v[4], zero, first[4], second[4];
    for (int i = 0; i < 4; i++) memcpy(&v[i], x + i * 16 + half, sizeof v[i]);
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

// Four rows of outputs, (4, 16), each the sum of `groups` of the signed sums and of what it holds unless `isFirst`.
IRC_INLINE void IRC_STEP(add_sums)(
  IRC_REAL *IRC_RESTRICT y, const IRC_REAL *IRC_RESTRICT sums, const uint32_t *IRC_RESTRICT signs,
  size_t sign_stride, size_t groups, bool isFirst) {
  IRC_V v[8];
  if (isFirst)
    memset(v, 0, sizeof v);
  else
    memcpy(v, y, sizeof v);
  for (size_t g = 0; g < groups; g++)
    for (size_t r = 0; r < 4; r++) {
      size_t p = signs[r * sign_stride + g / 8] >> (g % 8 * 4) & 15;
      IRC_V term[2];
      memcpy(term, sums + (g * 16 + p) * 16, sizeof term);
      IRC_V_ADD(v[2 * r], v[2 * r], term[0]);
      IRC_V_ADD(v[2 * r + 1], v[2 * r + 1], term[1]);
    }
  memcpy(y, v, sizeof v);
}

// (order, inner) -> (order, inner), column by column: y[b] = the sum over a of x[a] H[a, b], in place. Sixteen columns at
// a time, and the rows in groups of four: all signed sums of a group are made once and each output picks one of them.
// `scratch` is 2 * order * 16 + sums.
IRC_INLINE void IRC_STEP(base)(
  IRC_REAL *x, size_t inner, const irc_hadamard_base *base, IRC_REAL *IRC_RESTRICT scratch) {
  size_t order = base->order, words = (order + 31) / 32;
  IRC_REAL *input = scratch, *output = input + order * 16, *sums = output + order * 16;
  for (size_t c = 0; c < inner; c += 16) {
    size_t width = inner - c < 16 ? inner - c : 16;
    if (width < 16) memset(input, 0, order * 16 * sizeof(IRC_REAL));
    for (size_t a = 0; a < order; a++)
      memcpy(input + a * 16, x + a * inner + c, width * sizeof(IRC_REAL));
    for (size_t first = 0; first < order / 4; first += IRC_STEP(groups)) {
      size_t groups = order / 4 - first;
      if (groups > IRC_STEP(groups)) groups = IRC_STEP(groups);
      for (size_t g = 0; g < groups; g++)
        IRC_STEP(signed_sums)(sums + g * 256, input + (first + g) * 64);
      for (size_t b = 0; b < order; b += 4)
        IRC_STEP(add_sums)
        (output + b * 16, sums, base->signs + b * words + first / 8, words, groups, first == 0);
    }
    for (size_t b = 0; b < order; b++)
      memcpy(x + b * inner + c, output + b * 16, width * sizeof(IRC_REAL));
  }
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
