// Reading packed weights: blocks of codes, scales and zero points. Static like kernels_common.h, which
// it needs.
#ifndef IRC_KERNELS_PACKED_H
#define IRC_KERNELS_PACKED_H

#include "kernels_common.h"

// ---- Blocks -------------------------------------------------------------------------------------

IRC_INLINE void irc_unpack_int8(
  int8_t *IRC_RESTRICT codes, const irc_block_int8 *IRC_RESTRICT block) {
  memcpy(codes, block->codes, 32);
}

IRC_INLINE void irc_unpack_int4(
  int8_t *IRC_RESTRICT codes, const irc_block_int4 *IRC_RESTRICT block) {
  for (int j = 0; j < 16; j++) {
    codes[j] = (int8_t)(((block->nibbles[j] & 15) ^ 8) - 8);
    codes[j + 16] = (int8_t)(((block->nibbles[j] >> 4) ^ 8) - 8);
  }
}

// Eight codes at once in the bytes of a word. 0x01 in every byte, and bit k in byte k whatever the
// byte order:
#define IRC_ONES 0x0101010101010101u
IRC_INLINE uint64_t irc_bit_of_byte(void) {
  static const uint8_t bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  uint64_t word;
  memcpy(&word, bits, 8);
  return word;
}

IRC_INLINE void irc_unpack_int3(
  int8_t *IRC_RESTRICT codes, const irc_block_int3 *IRC_RESTRICT block) {
  uint64_t pairs;
  memcpy(&pairs, block->low, 8);
  for (int k = 0; k < 4; k++) {
    uint64_t low = pairs >> (2 * k) & (3 * IRC_ONES);
    uint64_t chosen = block->high[k] * IRC_ONES & irc_bit_of_byte();
    uint64_t high = (chosen + 0x7f * IRC_ONES) >> 7 & IRC_ONES;
    uint64_t word = low | high * 0xfc;  // a set bit 2 also sets the sign
    memcpy(codes + 8 * k, &word, 8);
  }
}

IRC_INLINE void irc_unpack_int2(
  int8_t *IRC_RESTRICT codes, const irc_block_int2 *IRC_RESTRICT block) {
  uint64_t pairs;
  memcpy(&pairs, block->pairs, 8);
  for (int k = 0; k < 4; k++) {
    uint64_t low = pairs >> (2 * k) & (3 * IRC_ONES);
    uint64_t word = low | (low >> 1 & IRC_ONES) * 0xfc;
    memcpy(codes + 8 * k, &word, 8);
  }
}

// Codes of 5, 6 or 7 bits: four low bits as in int4, then two as in int2, then one as in int3.
IRC_INLINE void irc_unpack_planes(
  int8_t *IRC_RESTRICT codes, const uint8_t *IRC_RESTRICT block, uint32_t bits) {
  uint64_t nibbles[2], pairs = 0;
  memcpy(nibbles, block, 16);
  if (bits & 2) memcpy(&pairs, block + 16, 8);
  const uint8_t *singles = block + (bits & 2 ? 24 : 16);
  uint64_t above = (uint64_t)(0xffu << bits & 0xffu);
  for (int k = 0; k < 4; k++) {
    uint64_t word = nibbles[k & 1] >> (k & 2 ? 4 : 0) & (15 * IRC_ONES);
    word |= (pairs >> (2 * k) & (3 * IRC_ONES)) << 4;
    if (bits & 1) {
      uint64_t chosen = singles[k] * IRC_ONES & irc_bit_of_byte();
      word |= ((chosen + 0x7f * IRC_ONES) >> 7 & IRC_ONES) << (bits - 1);
    }
    word |= (word >> (bits - 1) & IRC_ONES) * above;
    memcpy(codes + 8 * k, &word, 8);
  }
}

// `blocks` blocks of one row -> 32 * blocks codes
IRC_INLINE void irc_unpack(
  int8_t *IRC_RESTRICT codes, const void *IRC_RESTRICT packed, size_t blocks, uint32_t bits) {
  switch (bits) {
    case 8:
      for (size_t b = 0; b < blocks; b++)
        irc_unpack_int8(codes + 32 * b, (const irc_block_int8 *)packed + b);
      break;
    case 4:
      for (size_t b = 0; b < blocks; b++)
        irc_unpack_int4(codes + 32 * b, (const irc_block_int4 *)packed + b);
      break;
    case 3:
      for (size_t b = 0; b < blocks; b++)
        irc_unpack_int3(codes + 32 * b, (const irc_block_int3 *)packed + b);
      break;
    case 2:
      for (size_t b = 0; b < blocks; b++)
        irc_unpack_int2(codes + 32 * b, (const irc_block_int2 *)packed + b);
      break;
    default:
      for (size_t b = 0; b < blocks; b++)
        irc_unpack_planes(
          codes + 32 * b, (const uint8_t *)packed + irc_block_bytes(bits) * b, bits);
      break;
  }
}

// Codes of one row of a panel: `blocks` blocks from `panel` on, of row r of the sixteen -> 32 * blocks
// codes, four at a time in the bytes of a word. Integers come out signed, places in a table as they are.
IRC_INLINE void irc_unpack_panel_row(
  int8_t *IRC_RESTRICT codes, const uint8_t *IRC_RESTRICT panel, size_t blocks, size_t r,
  uint32_t bits, bool is_table) {
  const uint32_t ones = 0x01010101u;
  const uint32_t highest = is_table ? 0 : ones << (bits - 1);
  const uint32_t above = 0xffu << bits & 0xffu;
  const uint8_t *fours = panel + 4 * r, *pairs = fours + (bits & 4 ? 256 : 0);
  const uint8_t *singles = pairs + (bits & 2 ? 128 : 0);
  for (size_t b = 0; b < blocks; b++, fours += 64 * (size_t)bits, pairs += 64 * (size_t)bits,
              singles += 64 * (size_t)bits)
    for (size_t s = 0; s < 8; s++, codes += 4) {
      uint32_t word = 0, plane;
      if (bits == 8) {
        memcpy(&word, fours + 64 * s, 4);
      } else {
        uint32_t shift = bits & 4;
        if (bits & 4) {
          memcpy(&plane, fours + 64 * (s / 2), 4);
          word = plane >> (4 * (s % 2)) & (15 * ones);
        }
        if (bits & 2) {
          memcpy(&plane, pairs + 64 * (s / 4), 4);
          word |= (plane >> (2 * (s % 4)) & (3 * ones)) << shift;
        }
        if (bits & 1) {
          memcpy(&plane, singles, 4);
          word |= (plane >> s & ones) << (bits - 1);
        }
      }
      word ^= highest;
      word |= ((word & highest) >> (bits - 1)) * above;
      memcpy(codes, &word, 4);
    }
}

// The codes of `blocks` blocks of a row, from block `first` on.
IRC_INLINE void irc_unpack_part(
  int8_t *IRC_RESTRICT codes, const irc_packed_weights *w, size_t row, size_t first,
  size_t blocks) {
  const uint8_t *packed = (const uint8_t *)w->codes;
  if (w->layout == IRC_LAYOUT_PANELS) {
    size_t r = row % IRC_PANEL_ROWS;
    packed += (row - r) * w->row_bytes + first * 64 * (size_t)w->bits;
    irc_unpack_panel_row(codes, packed, blocks, r, w->bits, w->values || w->levels);
  } else {
    packed += row * w->row_bytes + first * irc_block_bytes(w->bits);
    irc_unpack(codes, packed, blocks, w->bits);
  }
}

// ---- Scales -------------------------------------------------------------------------------------

// 2^(code - 127); 255 is a NaN.
IRC_INLINE float irc_float_of_e8m0(uint8_t code) {
  uint32_t bits = code == 0 ? 0x00400000u : (uint32_t)code << 23;
  return irc_float_of_bits(code == 255 ? 0x7fc00000u : bits);
}

// A scale is never negative: the sign bit is passed over.
IRC_INLINE float irc_float_of_e4m3(uint8_t code) {
  uint32_t rest = code & 0x7fu;
  return rest == 0x7fu ? irc_float_of_bits(0x7fc00000u) : irc_float_of_bits(rest << 20) * 0x1p120f;
}

IRC_INLINE float irc_scale_at(const irc_packed_weights *w, size_t index) {
  switch (w->scale_type) {
    case IRC_SCALE_F16:
      return irc_float_of_f16(((const uint16_t *)w->scales)[index]);
    case IRC_SCALE_E8M0:
      return irc_float_of_e8m0(((const uint8_t *)w->scales)[index]);
    case IRC_SCALE_E4M3:
      return irc_float_of_e4m3(((const uint8_t *)w->scales)[index]) * *w->tensor_scale;
    default:
      return ((const float *)w->scales)[index];
  }
}

IRC_INLINE int32_t irc_zero_at(const irc_packed_weights *w, size_t index) {
  return w->zeros ? w->zeros[index] : 0;
}

// ---- Rows ---------------------------------------------------------------------------------------

// Calls `body` for each run of neighbours of row `row` that share a scale: `count` codes at `codes`,
// of the columns from `at` on, with scale and zero point number `index`. Blocks and groups need not
// end together.
#define IRC_FOR_RUNS(w, row, body)                                                             \
  do {                                                                                         \
    enum { CHUNK = 256 };                                                                      \
    size_t index = irc_group_index(w, row), left = (w)->group;                                 \
    for (size_t start = 0; start < (w)->in; start += CHUNK) {                                  \
      int8_t chunk[CHUNK];                                                                     \
      size_t length = (w)->in - start < CHUNK ? (w)->in - start : CHUNK;                       \
      irc_unpack_part(                                                                         \
        chunk, w, row, start / IRC_BLOCK, irc_padded(length) / IRC_BLOCK);                     \
      for (size_t done = 0, count; done < length; done += count) {                             \
        count = length - done < left ? length - done : left;                                   \
        const int8_t *codes = chunk + done;                                                    \
        size_t at = start + done;                                                              \
        body                                                                                   \
        left -= count;                                                                         \
        if (left == 0) {                                                                       \
          left = (w)->group;                                                                   \
          index += irc_group_step(w);                                                          \
        }                                                                                      \
      }                                                                                        \
    }                                                                                          \
  } while (0)

// ---- Real weights -------------------------------------------------------------------------------

// `count` of the numbers, from number `at` on.
IRC_INLINE void irc_real_piece(
  float *IRC_RESTRICT y, const irc_real_weights *w, size_t at, size_t count) {
  if (w->is_half)
    irc_floats_of_f16(y, (const uint16_t *)w->values + at, count);
  else
    memcpy(y, (const float *)w->values + at, count * sizeof(float));
}

// Adds hidden @ up^T to rows o ..< o + rows of y, at most four, which are still at hand:
// (tokens, rank) @ (rows, rank)^T -> (tokens, rows)
IRC_INLINE void irc_add_up(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT hidden, size_t hidden_stride,
  const irc_real_weights *up, size_t tokens, float *room, size_t o, size_t rows) {
  size_t rank = up->in;
  const float *w = room;
  if (up->is_half)
    irc_real_piece(room, up, o * rank, rows * rank);
  else
    w = (const float *)up->values + o * rank;
  for (size_t t = 0; t < tokens; t++, hidden += hidden_stride, y += y_stride) {
    float dot[4];
    if (rows == 4)
      irc_dot4(dot, w, rank, hidden, rank);
    else
      for (size_t r = 0; r < rows; r++) dot[r] = irc_dot(w + r * rank, hidden, rank);
    for (size_t r = 0; r < rows; r++) y[r] = y[r] + dot[r];
  }
}

// ---- Fitted values ------------------------------------------------------------------------------

// What the 2^bits codes of a group stand for, from its numbers.
IRC_INLINE void irc_group_values(
  float *IRC_RESTRICT values, const float *IRC_RESTRICT numbers, irc_code_kind kind, uint32_t bits) {
  if (kind == IRC_CODES_LISTED) {
    memcpy(values, numbers, ((size_t)1 << bits) * sizeof *values);
    return;
  }
  values[0] = kind == IRC_CODES_OFFSET ? numbers[bits] : 0.0f;
  for (uint32_t k = 0; k < bits; k++)
    for (uint32_t code = 0; code < 1u << k; code++) {
      values[code + (1u << k)] = values[code] + numbers[k];
      values[code] -= numbers[k];
    }
}

// A row of codes whose groups have values of their own: (in)
IRC_INLINE void irc_dequantize_fitted(
  float *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  float numbers[256], values[256];
  uint8_t mask = (uint8_t)((1u << w->bits) - 1);
  size_t count_of_group = irc_group_numbers(w->kind, w->bits), made = SIZE_MAX;
  IRC_FOR_RUNS(w, row, {
    if (index != made) {
      for (size_t k = 0; k < count_of_group; k++)
        numbers[k] = irc_scale_at(w, index * count_of_group + k);
      irc_group_values(values, numbers, w->kind, w->bits);
      made = index;
    }
    for (size_t i = 0; i < count; i++) y[at + i] = values[(uint8_t)codes[i] & mask];
  });
}

#endif
