// Fitting the values of codebooks and of binary codes. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "encode_common.h"
#include "fit_points.h"

// A number as it is stored in f32 or f16.
static float irc_stored_number(double x, irc_scale_type type) {
  float number = x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : (float)x;
  if (type != IRC_SCALE_F16) return number;
  uint16_t half = irc_f16_of_float(number);
  return irc_float_of_f16((half & 0x7fffu) == 0x7c00u ? (uint16_t)(half - 1) : half);
}

// ---- Codebooks ----------------------------------------------------------------------------------

// Runs of neighbouring points that dynamic programming works on.
enum { IRC_MOST_RUNS = 512 };

// Where the clusters of some runs begin: the least sum of squares is the greatest sum over clusters of
// moment^2 / weight, and its last boundary moves up with the number of runs.
typedef struct irc_partition {
  const irc_points *points;
  uint32_t *start;         // (runs + 1): the first point of a run
  double *before, *after;  // (runs + 1): the best gain of the first runs, with a cluster less and now
  uint16_t *split;         // (clusters, runs + 1): where the last cluster begins
} irc_partition;

IRC_INLINE double irc_gain(const irc_points *p, size_t begin, size_t end) {
  double moment = p->moment[end] - p->moment[begin];
  return moment * moment / (p->weight[end] - p->weight[begin]);
}

// The best last boundary of each number of runs in low ..< high, which lies in first ... last.
static void irc_split_runs(
  const irc_partition *p, uint16_t *split, size_t low, size_t high, size_t first, size_t last) {
  while (low < high) {
    size_t middle = low + (high - low) / 2, best = first;
    double most = -1;
    size_t end = last < middle - 1 ? last : middle - 1;
    for (size_t i = first; i <= end; i++) {
      double gain = p->before[i] + irc_gain(p->points, p->start[i], p->start[middle]);
      if (gain > most) {
        most = gain;
        best = i;
      }
    }
    p->after[middle] = most;
    split[middle] = (uint16_t)best;
    irc_split_runs(p, split, low, middle, first, best);
    low = middle + 1;
    first = best;
  }
}

// Cuts points into at most IRC_MOST_RUNS runs: one each if there are no more, else half of the cuts by
// number and half by value, so that the few points far out have runs of their own.
static size_t irc_cut_runs(uint32_t *start, const irc_points *p) {
  size_t runs = 0;
  if (p->count <= IRC_MOST_RUNS) {
    for (; runs <= p->count; runs++) start[runs] = (uint32_t)runs;
    return p->count;
  }
  double low = p->value[0], width = p->value[p->count - 1] - low;
  size_t of_count = 0, of_value = 0, half = IRC_MOST_RUNS / 2;
  for (size_t i = 0; i < p->count; i++) {
    size_t by_count = i * half / p->count;
    size_t by_value = (size_t)((p->value[i] - low) / width * (double)(half - 1));
    if (i == 0 || by_count != of_count || by_value != of_value)
      start[runs++] = (uint32_t)i;
    of_count = by_count;
    of_value = by_value;
  }
  start[runs] = (uint32_t)p->count;
  return runs;
}

// Moves boundaries (clusters + 1) to the middle between the means on both sides until they stay.
static void irc_move_boundaries(const irc_points *p, uint32_t *boundary, size_t clusters) {
  for (int step = 0; step < 200; step++) {
    uint32_t next[257];
    double mean[256];
    for (size_t c = 0; c < clusters; c++)
      mean[c] = (p->moment[boundary[c + 1]] - p->moment[boundary[c]])
        / (p->weight[boundary[c + 1]] - p->weight[boundary[c]]);
    bool moves = false, is_whole = true;
    next[0] = 0;
    next[clusters] = (uint32_t)p->count;
    for (size_t c = 1; c < clusters; c++) {
      next[c] = (uint32_t)irc_first_above(p, (mean[c - 1] + mean[c]) * 0.5, 0, p->count);
      moves |= next[c] != boundary[c];
      is_whole &= next[c] > next[c - 1];
    }
    if (!moves || !is_whole || next[clusters - 1] >= p->count) return;
    memcpy(boundary, next, (clusters + 1) * sizeof *next);
  }
}

static void irc_fit_listed(
  float *numbers, const irc_points *p, irc_code_spec spec, double *memory) {
  size_t codes = (size_t)1 << spec.bits;
  irc_partition partition = {.points = p, .before = memory, .after = memory + IRC_MOST_RUNS + 1};
  partition.start = (uint32_t *)(void *)(memory + 2 * (IRC_MOST_RUNS + 1));
  partition.split = (uint16_t *)(void *)(partition.start + IRC_MOST_RUNS + 1);
  size_t runs = irc_cut_runs(partition.start, p);
  size_t clusters = runs < codes ? runs : codes;
  for (size_t i = 1; i <= runs; i++) partition.after[i] = irc_gain(p, 0, partition.start[i]);
  for (size_t c = 1; c < clusters; c++) {
    double *swap = partition.before;
    partition.before = partition.after;
    partition.after = swap;
    irc_split_runs(
      &partition, partition.split + c * (IRC_MOST_RUNS + 1), c + 1, runs + 1, c, runs - 1);
  }
  uint32_t boundary[257];
  size_t end = runs;
  for (size_t c = clusters; c-- > 0;) {
    boundary[c + 1] = partition.start[end];
    if (c > 0) end = partition.split[c * (IRC_MOST_RUNS + 1) + end];
  }
  boundary[0] = 0;
  if (runs < p->count) irc_move_boundaries(p, boundary, clusters);
  for (size_t c = 0; c < codes; c++) {
    size_t own = c < clusters ? c : clusters - 1;
    double moment = p->moment[boundary[own + 1]] - p->moment[boundary[own]];
    double mean = moment / (p->weight[boundary[own + 1]] - p->weight[boundary[own]]);
    numbers[c] = irc_stored_number(mean + p->centre, spec.scale_type);
  }
}

// ---- Binary codes -------------------------------------------------------------------------------

// Codes of at most four bits: numbers of a group, and values.
enum { IRC_SIGN_NUMBERS = 5, IRC_SIGN_VALUES = 16 };

// Factors, with the offset behind them, that are being fitted.
typedef struct irc_signs {
  uint32_t bits, numbers;
  double number[IRC_SIGN_NUMBERS];
  double gain;  // how much less than the sum of squares the error is
} irc_signs;

// The sign that a number has in the value of a code.
IRC_INLINE double irc_sign(const irc_signs *s, uint32_t code, uint32_t k) {
  return k == s->bits || code >> k & 1 ? 1 : -1;
}

// The codes by value, and the first point of each; returns whether anything changed.
static bool irc_assign_signs(
  irc_signs *s, const irc_points *p, uint8_t *order, uint32_t *boundary) {
  uint32_t count = 1u << s->bits;
  double value[IRC_SIGN_VALUES];
  uint8_t sorted[IRC_SIGN_VALUES];
  for (uint32_t code = 0; code < count; code++) {
    value[code] = 0;
    for (uint32_t k = 0; k < s->numbers; k++) value[code] += irc_sign(s, code, k) * s->number[k];
    uint32_t at = code;
    for (; at > 0 && value[sorted[at - 1]] > value[code]; at--) sorted[at] = sorted[at - 1];
    sorted[at] = (uint8_t)code;
  }
  bool changes = memcmp(order, sorted, count) != 0;
  memcpy(order, sorted, count);
  boundary[count] = (uint32_t)p->count;
  s->gain = 0;
  for (uint32_t c = 0; c < count; c++) {
    double own = value[sorted[c]];
    uint32_t first = 0;
    if (c > 0)
      first = (uint32_t)irc_first_above(p, (value[sorted[c - 1]] + own) * 0.5, 0, p->count);
    changes |= first != boundary[c];
    boundary[c] = first;
  }
  for (uint32_t c = 0; c < count; c++) {
    double own = value[sorted[c]];
    double weight = p->weight[boundary[c + 1]] - p->weight[boundary[c]];
    double moment = p->moment[boundary[c + 1]] - p->moment[boundary[c]];
    s->gain += own * (2 * moment - own * weight);
  }
  return changes;
}

// Solves the symmetric a x = b of size n in place, with a ridge that leaves out what a says nothing of.
static void irc_solve_small(
  double a[IRC_SIGN_NUMBERS][IRC_SIGN_NUMBERS], double *b, uint32_t n, double ridge) {
  for (uint32_t k = 0; k < n; k++) a[k][k] += ridge;
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t i = k + 1; i < n; i++) {
      double factor = a[i][k] / a[k][k];
      for (uint32_t j = k; j < n; j++) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  for (uint32_t k = n; k-- > 0;) {
    for (uint32_t j = k + 1; j < n; j++) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
}

// The least squares of the factors under given codes, as a change of those that they are.
static void irc_solve_signs(
  irc_signs *s, const irc_points *p, const uint8_t *order, const uint32_t *boundary) {
  double a[IRC_SIGN_NUMBERS][IRC_SIGN_NUMBERS] = {{0}}, b[IRC_SIGN_NUMBERS] = {0};
  for (uint32_t c = 0; c < 1u << s->bits; c++) {
    double weight = p->weight[boundary[c + 1]] - p->weight[boundary[c]];
    double rest = p->moment[boundary[c + 1]] - p->moment[boundary[c]];
    for (uint32_t k = 0; k < s->numbers; k++)
      rest -= weight * irc_sign(s, order[c], k) * s->number[k];
    for (uint32_t k = 0; k < s->numbers; k++) {
      b[k] += irc_sign(s, order[c], k) * rest;
      for (uint32_t j = 0; j < s->numbers; j++)
        a[k][j] += irc_sign(s, order[c], k) * irc_sign(s, order[c], j) * weight;
    }
  }
  irc_solve_small(a, b, s->numbers, 1e-12 * p->weight[p->count]);
  for (uint32_t k = 0; k < s->numbers; k++) s->number[k] += b[k];
}

static void irc_improve_signs(irc_signs *s, const irc_points *p) {
  uint8_t order[IRC_SIGN_VALUES] = {0};
  uint32_t boundary[IRC_SIGN_VALUES + 1] = {0};
  irc_assign_signs(s, p, order, boundary);
  for (int step = 0; step < 50; step++) {
    irc_signs next = *s;
    irc_solve_signs(&next, p, order, boundary);
    bool changes = irc_assign_signs(&next, p, order, boundary);
    if (!(next.gain > s->gain)) return;
    *s = next;
    if (!changes) return;
  }
}

// Factor by factor the mean magnitude of what is left, the largest first.
static void irc_greedy_signs(irc_signs *s, const irc_points *p) {
  double centre[IRC_SIGN_VALUES] = {0};
  uint32_t edge[IRC_SIGN_VALUES + 1] = {0, (uint32_t)p->count};
  for (uint32_t k = 0; k < s->bits; k++) {
    uint32_t cells = 1u << k, next[IRC_SIGN_VALUES + 1];
    double sum = 0;
    for (uint32_t c = 0; c < cells; c++) {
      uint32_t low = edge[c], high = edge[c + 1];
      uint32_t middle = (uint32_t)irc_first_above(p, centre[c], low, high);
      sum += p->moment[high] - 2 * p->moment[middle] + p->moment[low];
      sum -= centre[c] * (p->weight[high] - 2 * p->weight[middle] + p->weight[low]);
      next[2 * c] = low;
      next[2 * c + 1] = middle;
    }
    next[2 * cells] = (uint32_t)p->count;
    double factor = sum / p->weight[p->count];
    s->number[s->bits - 1 - k] = factor;
    // The greedy sign of what lies on a centre is that of what lies below it.
    for (uint32_t c = cells; c-- > 0;) {
      centre[2 * c + 1] = centre[c] + factor;
      centre[2 * c] = centre[c] - factor;
    }
    memcpy(edge, next, (2 * cells + 1) * sizeof *next);
  }
}

static void irc_fit_signs(float *numbers, const irc_points *p, irc_code_spec spec) {
  irc_signs best = {.bits = spec.bits, .gain = -INFINITY};
  best.numbers = (uint32_t)irc_group_numbers(spec.kind, spec.bits);
  double low = p->value[0], high = p->value[p->count - 1], middle = 0;
  double range = fmax(fabs(low), fabs(high));
  if (spec.kind == IRC_CODES_OFFSET) {
    middle = (low + high) * 0.5;
    range = (high - low) * 0.5;
  }
  for (int start = 0; start < 3; start++) {
    irc_signs s = {.bits = best.bits, .numbers = best.numbers};
    s.number[s.bits] = middle;
    double part = start == 2 ? 0.6 * range : range;
    for (uint32_t k = 0; k < s.bits; k++)
      s.number[k] = part * (double)(1u << k) / (double)(1u << s.bits);
    if (start == 0) {
      s.number[s.bits] = 0;
      irc_greedy_signs(&s, p);
    }
    irc_improve_signs(&s, p);
    if (s.gain > best.gain) best = s;
  }
  for (uint32_t k = 0; k < best.bits; k++) {
    double factor = fabs(best.number[k]);
    uint32_t at = k;
    for (; at > 0 && best.number[at - 1] > factor; at--) best.number[at] = best.number[at - 1];
    best.number[at] = factor;
  }
  for (uint32_t k = 0; k < best.numbers; k++) {
    double centre = k == best.bits ? p->centre : 0;
    numbers[k] = irc_stored_number(best.number[k] + centre, spec.scale_type);
  }
}

// ---- Rows ---------------------------------------------------------------------------------------

static size_t irc_partition_doubles(irc_code_spec spec) {
  size_t runs = IRC_MOST_RUNS + 1;
  return 2 * runs + (runs + 1) / 2 + (((size_t)1 << spec.bits) * runs + 3) / 4;
}

size_t IRC_NAME(fit_scratch_bytes)(size_t n, irc_code_spec spec) {
  return (irc_point_doubles(n) + irc_partition_doubles(spec)) * sizeof(double);
}

void IRC_NAME(fit_rows)(
  float *IRC_RESTRICT numbers, const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n,
  irc_importance importance, irc_code_spec spec, void *IRC_RESTRICT scratch) {
  double *memory = (double *)scratch;
  size_t count = irc_group_numbers(spec.kind, spec.bits);
  for (size_t r = 0; r < rows; r++, w += w_stride)
    IRC_FOR_GROUPS({
      irc_points points = irc_points_in(memory + irc_partition_doubles(spec), length);
      irc_importance own = importance;
      if (own.weight) own.weight += start;
      irc_gather_points(&points, w + start, length, own, spec.kind != IRC_CODES_SIGNED);
      if (points.is_infinite || points.count == 0)
        for (size_t k = 0; k < count; k++) numbers[k] = points.is_infinite ? NAN : 0.0f;
      else if (spec.kind == IRC_CODES_LISTED)
        irc_fit_listed(numbers, &points, spec, memory);
      else
        irc_fit_signs(numbers, &points, spec);
      numbers += count;
    });
}

void IRC_NAME(swap_groups_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t rows, size_t groups, size_t count) {
  for (size_t g = 0; g < groups; g++)
    for (size_t r = 0; r < rows; r++, y += count)
      memcpy(y, x + (r * groups + g) * count, count * sizeof *y);
}
