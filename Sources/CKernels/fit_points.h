// The numbers of a group in ascending order, with sums that let every method of fitting work in
// O(log n) a step. Static, and compiled into the compiler only.
#ifndef IRC_FIT_POINTS_H
#define IRC_FIT_POINTS_H

#include <math.h>

#include "irc_fit.h"
#include "kernels_common.h"

// Most points of a group; more numbers share points.
enum { IRC_MOST_POINTS = 1 << 16 };

// Different numbers in ascending order. weight[i] and moment[i] are the sums of the importance and of
// importance * (value - centre) of the points before i.
typedef struct irc_points {
  size_t count;
  double *value, *weight, *moment;
  uint64_t *room;  // two words for each number
  double centre;
  bool is_infinite;
} irc_points;

static inline size_t irc_point_room(size_t n) { return n < IRC_MOST_POINTS ? n : IRC_MOST_POINTS; }

// Doubles that the points of up to n numbers take.
static inline size_t irc_point_doubles(size_t n) { return 5 * (irc_point_room(n) + 1); }

static inline irc_points irc_points_in(double *memory, size_t n) {
  size_t room = irc_point_room(n) + 1;
  return (irc_points){
    .value = memory,
    .weight = memory + room,
    .moment = memory + 2 * room,
    .room = (uint64_t *)(void *)(memory + 3 * room)};
}

// A word that orders as the number does; zero has one.
IRC_INLINE uint32_t irc_ordered(float x) {
  uint32_t bits = irc_bits_of_float(x + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

IRC_INLINE float irc_unordered(uint32_t word) {
  return irc_float_of_bits(word & 0x80000000u ? word & 0x7fffffffu : ~word);
}

// What is added to every importance of the columns that a group of n numbers has.
static inline double irc_least_importance(irc_importance importance, size_t n) {
  if (!importance.weight) return 0;
  double sum = 0;
  size_t count = n < importance.period ? n : importance.period;
  for (size_t i = 0; i < count; i++) sum += importance.weight[i];
  return sum > 0 ? 1e-6 * sum / (double)count : 1;
}

// Sorts words by their upper halves; `other` is as long.
static inline uint64_t *irc_sort_words(uint64_t *words, uint64_t *other, size_t n) {
  for (uint32_t shift = 32; shift < 64; shift += 8) {
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++) start[(words[i] >> shift & 255) + 1]++;
    for (size_t d = 0; d < 256; d++) start[d + 1] += start[d];
    for (size_t i = 0; i < n; i++) other[start[words[i] >> shift & 255]++] = words[i];
    uint64_t *swap = words;
    words = other;
    other = swap;
  }
  return words;
}

// A point for each different number.
static inline void irc_sorted_points(
  irc_points *p, const float *w, size_t n, irc_importance importance, double least) {
  uint64_t *words = p->room;
  size_t count = 0;
  for (size_t i = 0; i < n; i++)
    if (w[i] == w[i]) words[count++] = (uint64_t)irc_ordered(w[i]) << 32 | i;
  words = irc_sort_words(words, p->room + irc_point_room(n), count);
  for (size_t i = 0; i < count; i++) {
    float x = irc_unordered((uint32_t)(words[i] >> 32));
    size_t column = (size_t)(words[i] & 0xffffffffu);
    double weight = importance.weight ? importance.weight[column % importance.period] + least : 1;
    if (p->count == 0 || p->value[p->count - 1] != x) {
      p->value[p->count] = x;
      p->weight[p->count++] = 0;
    }
    p->weight[p->count - 1] += weight;
  }
  for (size_t i = 0; i < p->count; i++) p->moment[i] = p->weight[i] * p->value[i];
}

// A point for all numbers with the same upper sixteen bits, at their mean.
static inline void irc_binned_points(
  irc_points *p, const float *w, size_t n, irc_importance importance, double least) {
  double *weight = (double *)(void *)p->room, *moment = weight + IRC_MOST_POINTS;
  memset(weight, 0, 2 * IRC_MOST_POINTS * sizeof *weight);
  for (size_t i = 0, column = 0; i < n; i++, column++) {
    if (w[i] != w[i]) continue;
    if (column >= importance.period) column = 0;
    uint32_t bin = irc_ordered(w[i]) >> 16;
    double one = importance.weight ? importance.weight[column] + least : 1;
    weight[bin] += one;
    moment[bin] += one * w[i];
  }
  for (size_t bin = 0; bin < IRC_MOST_POINTS; bin++) {
    if (weight[bin] == 0) continue;
    p->value[p->count] = moment[bin] / weight[bin];
    p->weight[p->count] = weight[bin];
    p->moment[p->count++] = moment[bin];
  }
}

// Gathers the numbers of a group; the sums are around their mean if `centred`, else around zero.
static inline void irc_gather_points(
  irc_points *p, const float *w, size_t n, irc_importance importance, bool centred) {
  p->count = 0;
  p->centre = 0;
  p->is_infinite = false;
  for (size_t i = 0; i < n; i++) p->is_infinite |= fabsf(w[i]) > FLT_MAX;
  if (p->is_infinite) return;
  double least = irc_least_importance(importance, n);
  if (n <= IRC_MOST_POINTS)
    irc_sorted_points(p, w, n, importance, least);
  else
    irc_binned_points(p, w, n, importance, least);
  double weight = 0, moment = 0;
  for (size_t i = 0; i < p->count; i++) {
    weight += p->weight[i];
    moment += p->moment[i];
  }
  if (centred && p->count > 0) p->centre = moment / weight;
  weight = moment = 0;
  for (size_t i = 0; i < p->count; i++) {
    double own = p->weight[i], offset = p->value[i] - p->centre;
    p->weight[i] = weight;
    p->moment[i] = moment;
    weight += own;
    moment += own * offset;
    p->value[i] = offset;
  }
  p->weight[p->count] = weight;
  p->moment[p->count] = moment;
}

// The first point between `low` and `high` that lies above x, counted from the centre.
IRC_INLINE size_t irc_first_above(const irc_points *p, double x, size_t low, size_t high) {
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (p->value[middle] > x)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

#endif
