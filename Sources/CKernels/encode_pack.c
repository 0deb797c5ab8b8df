// Packing codes and scales. Compiled into the compiler only.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "encode_common.h"

// ---- Packing ------------------------------------------------------------------------------------

IRC_INLINE void irc_pack_int4(
  irc_block_int4 *IRC_RESTRICT block, const int8_t *IRC_RESTRICT codes) {
  for (int j = 0; j < 16; j++)
    block->nibbles[j] = (uint8_t)((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

IRC_INLINE void irc_pack_low_pairs(uint8_t pairs[8], const int8_t *IRC_RESTRICT codes) {
  for (int j = 0; j < 8; j++)
    pairs[j] = (uint8_t)(
      (codes[j] & 3) | (codes[j + 8] & 3) << 2 | (codes[j + 16] & 3) << 4
      | (codes[j + 24] & 3) << 6);
}

IRC_INLINE void irc_pack_low_bits(uint8_t bytes[4], const int8_t *IRC_RESTRICT codes) {
  for (int j = 0; j < 4; j++) {
    int bits = 0;
    for (int k = 0; k < 8; k++) bits |= (codes[8 * j + k] & 1) << k;
    bytes[j] = (uint8_t)bits;
  }
}

IRC_INLINE void irc_pack_int3(
  irc_block_int3 *IRC_RESTRICT block, const int8_t *IRC_RESTRICT codes) {
  irc_pack_low_pairs(block->low, codes);
  int8_t high[IRC_BLOCK];
  for (int i = 0; i < IRC_BLOCK; i++) high[i] = (int8_t)(codes[i] >> 2);
  irc_pack_low_bits(block->high, high);
}

// Codes of 5, 6 or 7 bits, plane by plane.
IRC_INLINE void irc_pack_planes(
  uint8_t *IRC_RESTRICT block, const int8_t *IRC_RESTRICT codes, uint32_t bits) {
  irc_pack_int4((irc_block_int4 *)(void *)block, codes);
  int8_t high[IRC_BLOCK];
  for (int i = 0; i < IRC_BLOCK; i++) high[i] = (int8_t)(codes[i] >> 4);
  if (bits & 2) {
    irc_pack_low_pairs(block + 16, high);
    for (int i = 0; i < IRC_BLOCK; i++) high[i] = (int8_t)(high[i] >> 2);
  }
  if (bits & 1) irc_pack_low_bits(block + (bits & 2 ? 24 : 16), high);
}

// `blocks` whole blocks of one row.
IRC_INLINE void irc_pack(
  uint8_t *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t blocks, uint32_t bits) {
  switch (bits) {
    case 8:
      memcpy(packed, codes, 32 * blocks);
      break;
    case 4:
      for (size_t b = 0; b < blocks; b++)
        irc_pack_int4((irc_block_int4 *)(void *)packed + b, codes + 32 * b);
      break;
    case 3:
      for (size_t b = 0; b < blocks; b++)
        irc_pack_int3((irc_block_int3 *)(void *)packed + b, codes + 32 * b);
      break;
    case 2:
      for (size_t b = 0; b < blocks; b++) irc_pack_low_pairs(packed + 8 * b, codes + 32 * b);
      break;
    default:
      for (size_t b = 0; b < blocks; b++)
        irc_pack_planes(packed + irc_block_bytes(bits) * b, codes + 32 * b, bits);
      break;
  }
}

// The last block of a row, when it is not whole: `codes` has n % 32 codes left.
IRC_INLINE void irc_pack_rest(
  uint8_t *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t n, uint32_t bits) {
  int8_t block[IRC_BLOCK] = {0};
  memcpy(block, codes, n);
  irc_pack(packed, block, 1, bits);
}

IRC_CLONES void IRC_NAME(pack_rows)(
  void *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows,
  size_t n, uint32_t bits) {
  uint8_t *row = (uint8_t *)packed;
  size_t blocks = n / IRC_BLOCK, rest = n % IRC_BLOCK;
  for (size_t r = 0; r < rows; r++, codes += code_stride, row += irc_packed_row_bytes(n, bits)) {
    irc_pack(row, codes, blocks, bits);
    if (rest)
      irc_pack_rest(row + blocks * irc_block_bytes(bits), codes + blocks * IRC_BLOCK, rest, bits);
  }
}

IRC_CLONES void IRC_NAME(unpack_rows)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const void *IRC_RESTRICT packed, size_t rows,
  size_t n, uint32_t bits) {
  const uint8_t *row = (const uint8_t *)packed;
  size_t blocks = n / IRC_BLOCK, rest = n % IRC_BLOCK;
  for (size_t r = 0; r < rows; r++, codes += code_stride, row += irc_packed_row_bytes(n, bits)) {
    irc_unpack(codes, row, blocks, bits);
    if (rest) {
      int8_t block[IRC_BLOCK];
      irc_unpack(block, row + blocks * irc_block_bytes(bits), 1, bits);
      memcpy(codes + blocks * IRC_BLOCK, block, rest);
    }
  }
}

// ---- Panels -------------------------------------------------------------------------------------

// The codes of four columns of a row, in the bytes of a word; zero behind the last row and column.
IRC_INLINE uint32_t irc_four_codes(
  const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows, size_t n, size_t r, size_t i) {
  uint32_t word = 0;
  if (r < rows && i < n) memcpy(&word, codes + r * code_stride + i, n - i < 4 ? n - i : 4);
  return word;
}

IRC_CLONES void IRC_NAME(pack_panels)(
  void *IRC_RESTRICT packed, const int8_t *IRC_RESTRICT codes, size_t code_stride, size_t rows,
  size_t n, uint32_t bits, bool is_table) {
  const uint32_t ones = 0x01010101u;
  const uint32_t highest = is_table ? 0 : ones << (bits - 1);
  uint8_t *block = (uint8_t *)packed;
  for (size_t row = 0; row < rows; row += IRC_PANEL_ROWS, codes += IRC_PANEL_ROWS * code_stride)
    for (size_t start = 0; start < n; start += IRC_BLOCK, block += 64 * (size_t)bits) {
      uint8_t *pairs = block + (bits & 4 ? 256 : 0), *singles = pairs + (bits & 2 ? 128 : 0);
      if (bits < 8) memset(block, 0, 64 * (size_t)bits);
      for (size_t r = 0; r < IRC_PANEL_ROWS; r++)
        for (size_t s = 0; s < 8; s++) {
          uint32_t plane, shift = bits & 4;
          uint32_t word = highest
            ^ irc_four_codes(codes, code_stride, rows - row, n, r, start + 4 * s);
          if (bits == 8) {
            memcpy(block + 64 * s + 4 * r, &word, 4);
            continue;
          }
          if (bits & 4) {
            uint8_t *at = block + 64 * (s / 2) + 4 * r;
            memcpy(&plane, at, 4);
            plane |= (word & (15 * ones)) << (4 * (s % 2));
            memcpy(at, &plane, 4);
          }
          if (bits & 2) {
            uint8_t *at = pairs + 64 * (s / 4) + 4 * r;
            memcpy(&plane, at, 4);
            plane |= (word >> shift & (3 * ones)) << (2 * (s % 4));
            memcpy(at, &plane, 4);
          }
          if (bits & 1) {
            memcpy(&plane, singles + 4 * r, 4);
            plane |= (word >> (bits - 1) & ones) << s;
            memcpy(singles + 4 * r, &plane, 4);
          }
        }
    }
}

void IRC_NAME(unpack_panels)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, const void *IRC_RESTRICT packed, size_t rows,
  size_t n, uint32_t bits, bool is_table) {
  const uint8_t *panel = (const uint8_t *)packed;
  size_t panel_bytes = IRC_PANEL_ROWS * irc_packed_row_bytes(n, bits);
  for (size_t row = 0; row < rows; row++, codes += code_stride) {
    size_t r = row % IRC_PANEL_ROWS;
    const uint8_t *block = panel + row / IRC_PANEL_ROWS * panel_bytes;
    for (size_t start = 0; start < n; start += IRC_BLOCK, block += 64 * (size_t)bits) {
      int8_t part[IRC_BLOCK];
      irc_unpack_panel_row(part, block, 1, r, bits, is_table);
      // A place in a table comes back as a code does from rows: sign extended.
      for (size_t i = 0; i < IRC_BLOCK; i++)
        part[i] = (int8_t)((int8_t)((uint32_t)(uint8_t)part[i] << (8 - bits)) >> (8 - bits));
      memcpy(codes + start, part, n - start < IRC_BLOCK ? n - start : IRC_BLOCK);
    }
  }
}

void IRC_NAME(interleave_groups)(
  void *IRC_RESTRICT interleaved, const void *IRC_RESTRICT plain, size_t rows, size_t groups,
  size_t size) {
  uint8_t *next = (uint8_t *)interleaved;
  for (size_t row = 0; row < rows; row += IRC_PANEL_ROWS)
    for (size_t g = 0; g < groups; g++)
      for (size_t r = row; r < row + IRC_PANEL_ROWS; r++, next += size) {
        if (r < rows)
          memcpy(next, (const uint8_t *)plain + (r * groups + g) * size, size);
        else
          memset(next, 0, size);
      }
}

// ---- All in one go ------------------------------------------------------------------------------

IRC_CLONES void IRC_NAME(encode_pack_rows)(
  void *IRC_RESTRICT packed, float *IRC_RESTRICT scale, int8_t *IRC_RESTRICT zero,
  const float *IRC_RESTRICT w, size_t w_stride, size_t rows, size_t n, irc_code_spec spec) {
  enum { CHUNK = 1024 };  // whole blocks
  uint8_t *next = (uint8_t *)packed;
  for (size_t r = 0; r < rows; r++, w += w_stride) {
    int8_t codes[CHUNK];
    size_t held = 0;
    IRC_FOR_GROUPS({
      int8_t z = 0;
      irc_group_params(scale, &z, w + start, length, spec);
      float reciprocal = irc_reciprocal(*scale++);
      if (!spec.symmetric) *zero++ = z;
      for (size_t at = 0, count; at < length; at += count) {
        count = length - at < CHUNK - held ? length - at : CHUNK - held;
        irc_encode_run(codes + held, w + start + at, count, reciprocal, z, spec);
        held += count;
        if (held < CHUNK) continue;
        irc_pack(next, codes, CHUNK / IRC_BLOCK, spec.bits);
        next += CHUNK / IRC_BLOCK * irc_block_bytes(spec.bits);
        held = 0;
      }
    });
    size_t padded = irc_padded(held);
    memset(codes + held, 0, padded - held);
    irc_pack(next, codes, padded / IRC_BLOCK, spec.bits);
    next += padded / IRC_BLOCK * irc_block_bytes(spec.bits);
  }
}

// ---- Scales -------------------------------------------------------------------------------------

// Stores one scale and returns the number that it is read as.
IRC_INLINE float irc_put_scale(
  void *packed, size_t i, float scale, irc_scale_type type, float tensor_scale) {
  switch (type) {
    case IRC_SCALE_F16: {
      uint16_t half = irc_f16_of_float(scale);
      ((uint16_t *)packed)[i] = half;
      return irc_float_of_f16(half);
    }
    case IRC_SCALE_E8M0: {
      uint32_t bits = irc_bits_of_float(scale);
      uint8_t code = (uint8_t)(bits >> 23 & 255u);
      ((uint8_t *)packed)[i] = code;
      return irc_float_of_e8m0(code);
    }
    case IRC_SCALE_E4M3: {
      uint8_t code = irc_e4m3_of_float(scale / tensor_scale);
      ((uint8_t *)packed)[i] = code;
      return irc_float_of_e4m3(code) * tensor_scale;
    }
    default:
      ((float *)packed)[i] = scale;
      return scale;
  }
}

IRC_CLONES size_t IRC_NAME(pack_scales)(
  void *IRC_RESTRICT packed, const float *IRC_RESTRICT scale, size_t n, irc_scale_type type,
  float tensor_scale) {
  size_t first = n;
  for (size_t i = 0; i < n; i++)
    if (!(irc_put_scale(packed, i, scale[i], type, tensor_scale) == scale[i]) && first == n)
      first = i;
  return first;
}

// Whether every scale is a number of E4M3 times tensor_scale.
static bool irc_scales_fit(const float *scale, size_t n, float tensor_scale) {
  uint8_t code;
  for (size_t i = 0; i < n; i++)
    if (!(irc_put_scale(&code, 0, scale[i], IRC_SCALE_E4M3, tensor_scale) == scale[i]))
      return false;
  return true;
}

float IRC_NAME(common_tensor_scale)(const float *scale, size_t n) {
  float most = irc_absmax(scale, n);
  if (most == 0.0f) return 1.0f;
  // The largest scale has one of the 126 positive codes, of what is chosen here the highest.
  for (uint8_t code = 0x7e; code > 0; code--) {
    float candidate = most / irc_float_of_e4m3(code);
    if (candidate <= FLT_MAX && irc_scales_fit(scale, n, candidate)) return candidate;
  }
  return 0.0f;
}
