// Products of float activations with quantized weights in panels. A vector holds a column of some
// rows, so sixteen lanes of sums are sixteen vectors, and their tree is a sum of vectors. One token
// is multiplied while the codes are unpacked; for more, some columns of a panel are written out.
//
// Whoever includes this has defined, for a vector of IRC_P_ROWS floats irc_p and of as many
// integers irc_pi: IRC_PANEL (how helpers are declared), IRC_P_KERNEL and IRC_P_SET (how functions
// are declared and named) and the functions irc_p_* below.

enum {
  IRC_P_STREAMS = 4,   // panels that are read side by side where each is needed once
  IRC_P_BYTES = 4096,  // of each in turn
  IRC_P_STEPS = IRC_P_ROWS / 4,  // of a half block, whose sums fit into the registers
  IRC_P_COLUMNS = 256,           // whose weights stay in the first-level cache
  IRC_P_TOKENS = 64,             // that pass meanwhile
  IRC_P_TILE = 8                 // of them side by side
};

IRC_PANEL irc_p irc_p_add_to(irc_p sum, irc_p a, irc_p b) {
  return irc_p_add(sum, irc_p_mul(a, b));
}

// ---- Weights ------------------------------------------------------------------------------------

// As irc_float_of_e8m0 and irc_float_of_e4m3.
IRC_PANEL irc_p irc_p_load_e8m0(const uint8_t *p) {
  irc_pi code = irc_p_widen(p), bits = irc_p_up(code, 23);
  bits = irc_p_where(code, irc_p_bits(0), bits, irc_p_bits(0x00400000));
  return irc_p_float(irc_p_where(code, irc_p_bits(255), bits, irc_p_bits(0x7fc00000)));
}
IRC_PANEL irc_p irc_p_load_e4m3(const uint8_t *p) {
  irc_pi rest = irc_p_and(irc_p_widen(p), irc_p_bits(0x7f));
  irc_p value = irc_p_mul(irc_p_float(irc_p_up(rest, 20)), irc_p_set(0x1p120f));
  return irc_p_float(irc_p_where(
    rest, irc_p_bits(0x7f), irc_p_of_float(value), irc_p_bits(0x7fc00000)));
}

// Eight or sixteen scales from number `index` on, as irc_scale_at reads them.
IRC_PANEL irc_p irc_p_scales(const irc_packed_weights *w, size_t index) {
  switch (w->scale_type) {
    case IRC_SCALE_F16:
      return irc_p_load_half((const uint16_t *)w->scales + index);
    case IRC_SCALE_E8M0:
      return irc_p_load_e8m0((const uint8_t *)w->scales + index);
    case IRC_SCALE_E4M3:
      return irc_p_mul(
        irc_p_load_e4m3((const uint8_t *)w->scales + index), irc_p_set(*w->tensor_scale));
    default:
      return irc_p_load((const float *)w->scales + index);
  }
}

// Asks for codes that come later: half a block, or as much of the cache as it lies in.
IRC_PANEL void irc_p_ask(const uint8_t *p, uint32_t bits) {
  IRC_UNROLL for (uint32_t byte = 0; byte < 32 * bits; byte += 64)
    _mm_prefetch((const char *)p + byte, _MM_HINT_T0);
}

// How the codes of a group become weights, for some rows.
typedef struct irc_p_group {
  irc_p scale;
  irc_p zero;  // of an integer whose bits lie in the mantissa of 2^23
} irc_p_group;

IRC_PANEL irc_p_group irc_p_group_at(const irc_packed_weights *w, size_t index) {
  irc_p_group group = {irc_p_scales(w, index), irc_p_set(0x1p23f)};
  group.zero = irc_p_add(group.zero, irc_p_set((float)(1 << (w->bits - 1))));
  if (w->zeros) group.zero = irc_p_add(group.zero, irc_p_load_bytes(w->zeros + index));
  return group;
}

// The codes of half a block, for some rows: those of step s are irc_p_shift bits up in the bytes of
// part s, with other bits around them where irc_p_read left them there.
typedef struct irc_p_codes {
  irc_pi part[4];
} irc_p_codes;

IRC_PANEL int irc_p_shift(uint32_t bits, int s) {
  return bits == 4 ? 4 * (s % 2) : bits == 2 ? 2 * s : 0;
}

IRC_PANEL irc_p_codes irc_p_read(
  const uint8_t *panel, size_t h, size_t row, uint32_t bits, int first, int last) {
  const size_t half = h % 2;
  const int low = bits & 4;
  const uint8_t *block = panel + h / 2 * 64 * bits + 4 * row;
  const uint8_t *pairs = block + (low ? 256 : 0) + 64 * half;
  const uint8_t *singles = block + (low ? 256 : 0) + (bits & 2 ? 128 : 0);
  irc_p_codes codes;
  IRC_UNROLL for (int s = first; s < last; s++) {
    if (bits == 8) {
      codes.part[s] = irc_p_load_codes(block + 64 * (4 * half + (size_t)s));
      continue;
    }
    if (bits == 4) {
      codes.part[s] = irc_p_load_codes(block + 64 * (2 * half + (size_t)s / 2));
      continue;
    }
    if (bits == 2) {
      codes.part[s] = irc_p_load_codes(pairs);
      continue;
    }
    irc_pi code = irc_p_bits(0);
    if (bits & 4)
      code = irc_p_and(
        irc_p_down(irc_p_load_codes(block + 64 * (2 * half + (size_t)s / 2)), 4 * (s % 2)),
        irc_p_bits(0x0f0f0f0f));
    if (bits & 2) {
      irc_pi two = irc_p_down(irc_p_load_codes(pairs), 2 * s);
      code = irc_p_or(code, irc_p_up(irc_p_and(two, irc_p_bits(0x03030303)), low));
    }
    if (bits & 1) {
      irc_pi one = irc_p_down(irc_p_down_by(irc_p_load_codes(singles), 4 * (int)half), s);
      code = irc_p_or(code, irc_p_up(irc_p_and(one, irc_p_bits(0x01010101)), (int)bits - 1));
    }
    codes.part[s] = code;
  }
  return codes;
}

// Column c of step s.
IRC_PANEL irc_p irc_p_weight(
  const irc_p_codes *codes, const irc_p_group *group, const irc_p_table *table, uint32_t bits,
  bool is_table, int s, int c) {
  irc_pi code = irc_p_down(codes->part[s], irc_p_shift(bits, s) + 8 * c);
  const irc_pi mask = irc_p_bits((1 << bits) - 1);
  irc_p value = is_table ? irc_p_look_up(table, code, mask, bits)
                         : irc_p_sub(irc_p_mantissa(code, mask), group->zero);
  return irc_p_mul(value, group->scale);
}

// Half a block: (16 columns, 16 rows)
IRC_PANEL void irc_p_columns(
  float to[16][16], const irc_packed_weights *w, const uint8_t *panel, size_t index, size_t h,
  const irc_p_table *table, uint32_t bits, bool is_table) {
  IRC_UNROLL for (size_t row = 0; row < 16; row += IRC_P_ROWS) {
    const irc_p_group group = irc_p_group_at(w, index + row);
    const irc_p_codes codes = irc_p_read(panel, h, row, bits, 0, 4);
    IRC_UNROLL for (int s = 0; s < 4; s++)
      IRC_UNROLL for (int c = 0; c < 4; c++)
        irc_p_store(
          to[4 * s + c] + row, irc_p_weight(&codes, &group, table, bits, is_table, s, c));
  }
}

// Calls a macro with the number of bits, which is then known when it is compiled.
#define IRC_P_OF_BITS(call)                                                                    \
  switch (w->bits) {                                                                           \
    case 2: if (IRC_HAS_BITS(2)) call(2); break;                                               \
    case 3: if (IRC_HAS_BITS(3)) call(3); break;                                               \
    case 4: if (IRC_HAS_BITS(4)) call(4); break;                                               \
    case 5: if (IRC_HAS_BITS(5)) call(5); break;                                               \
    case 6: if (IRC_HAS_BITS(6)) call(6); break;                                               \
    case 7: if (IRC_HAS_BITS(7)) call(7); break;                                               \
    default: if (IRC_HAS_BITS(8)) call(8); break;                                              \
  }

IRC_P_KERNEL static void irc_p_columns_any(
  float to[16][16], const irc_packed_weights *w, const uint8_t *panel, size_t index, size_t h,
  const irc_p_table *table) {
#define IRC_P_INTEGERS(bits) irc_p_columns(to, w, panel, index, h, table, bits, false)
#define IRC_P_VALUES(bits) irc_p_columns(to, w, panel, index, h, table, bits, true)
  if (w->values)
    IRC_P_OF_BITS(IRC_P_VALUES)
  else
    IRC_P_OF_BITS(IRC_P_INTEGERS)
#undef IRC_P_INTEGERS
#undef IRC_P_VALUES
}

// ---- One token ----------------------------------------------------------------------------------

// Adds the products of halves first ..< last of blocks to sixteen lanes of sixteen rows. What does
// not fit into the registers is read again from the first-level cache.
IRC_PANEL void irc_p_add_halves(
  float lanes[16][16], const irc_packed_weights *w, size_t o, const float *IRC_RESTRICT x,
  size_t first, size_t last, const irc_p_table *table, uint32_t bits, bool is_table) {
  const uint8_t *panel = (const uint8_t *)w->codes + o * w->row_bytes;
  const size_t scales = o / IRC_PANEL_ROWS * w->groups * IRC_PANEL_ROWS;
  const size_t wide = (w->group + 15) / 16;
  for (size_t row = 0; row < 16; row += IRC_P_ROWS)
    IRC_UNROLL for (int q = 0; q < 4; q += IRC_P_STEPS) {
      irc_p lane[4 * IRC_P_STEPS];
      IRC_UNROLL for (int k = 0; k < 4 * IRC_P_STEPS; k++)
        lane[k] = irc_p_load(lanes[4 * q + k] + row);
      size_t g = first / wide, left = wide - first % wide;
      irc_p_group group = irc_p_group_at(w, scales + g * IRC_PANEL_ROWS + row);
      for (size_t h = first; h < last; h++, left--) {
        if (left == 0) {
          group = irc_p_group_at(w, scales + ++g * IRC_PANEL_ROWS + row);
          left = wide;
        }
        if (row == 0 && q == 0) irc_p_ask(panel + 32 * h * bits + IRC_P_BYTES, bits);
        const irc_p_codes codes = irc_p_read(panel, h, row, bits, q, q + IRC_P_STEPS);
        IRC_UNROLL for (int s = q; s < q + IRC_P_STEPS; s++)
          IRC_UNROLL for (int c = 0; c < 4; c++) {
            irc_p weight = irc_p_weight(&codes, &group, table, bits, is_table, s, c);
            irc_p of_token = irc_p_set(x[16 * h + 4 * (size_t)s + (size_t)c]);
            const int k = 4 * (s - q) + c;
            lane[k] = irc_p_add_to(lane[k], weight, of_token);
          }
      }
      IRC_UNROLL for (int k = 0; k < 4 * IRC_P_STEPS; k++)
        irc_p_store(lanes[4 * q + k] + row, lane[k]);
    }
}

// The sums of the lanes of a token, of at most sixteen rows. Destroys them.
IRC_PANEL void irc_p_put(
  float *IRC_RESTRICT y, float lane[16][16], const float *bias, size_t rows) {
  for (size_t step = 8; step > 0; step /= 2)
    for (size_t k = 0; k < step; k++)
      for (size_t r = 0; r < 16; r += IRC_P_ROWS)
        irc_p_store(
          lane[k] + r, irc_p_add(irc_p_load(lane[k] + r), irc_p_load(lane[k + step] + r)));
  for (size_t r = 0; r < 16 && r < rows; r++) y[r] = bias ? lane[0][r] + bias[r] : lane[0][r];
}

IRC_PANEL void irc_p_one(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, const irc_packed_weights *w,
  const float *bias, const irc_p_table *table, uint32_t bits, bool is_table) {
  const size_t halves = w->in / 16, rest = w->in % 16;
  const size_t piece = IRC_P_BYTES / (64 * bits) * 2;
  for (size_t o = 0; o < w->out; o += IRC_P_STREAMS * IRC_PANEL_ROWS) {
    size_t panels = (w->out - o + IRC_PANEL_ROWS - 1) / IRC_PANEL_ROWS;
    if (panels > IRC_P_STREAMS) panels = IRC_P_STREAMS;
    float lanes[IRC_P_STREAMS][16][16];
    memset(lanes, 0, sizeof lanes);
    for (size_t first = 0; first < halves; first += piece)
      for (size_t p = 0; p < panels; p++)
        irc_p_add_halves(
          lanes[p], w, o + p * IRC_PANEL_ROWS, x, first,
          halves - first < piece ? halves : first + piece, table, bits, is_table);
    for (size_t p = 0; p < panels; p++) {
      const size_t row = o + p * IRC_PANEL_ROWS, index = row / IRC_PANEL_ROWS * w->groups;
      float(*lane)[16] = lanes[p];
      if (rest) {
        float columns[16][16];
        irc_p_columns_any(
          columns, w, (const uint8_t *)w->codes + row * w->row_bytes,
          (index + w->groups - 1) * IRC_PANEL_ROWS, halves, table);
        for (size_t k = 0; k < rest; k++)
          for (size_t r = 0; r < 16; r += IRC_P_ROWS)
            irc_p_store(
              lane[k] + r, irc_p_add_to(
                             irc_p_load(lane[k] + r), irc_p_load(columns[k] + r),
                             irc_p_set(x[16 * halves + k])));
      }
      irc_p_put(y + row, lane, bias ? bias + row : NULL, w->out - row);
    }
  }
}

// ---- Many tokens --------------------------------------------------------------------------------

// Adds the products of n columns, of which 16 rows lie together, to the lanes of some tokens.
IRC_PANEL void irc_p_tile(
  float (*IRC_RESTRICT lanes)[16][16], float (*IRC_RESTRICT columns)[16],
  const float *IRC_RESTRICT x, size_t x_stride, size_t n, int tokens) {
  for (size_t row = 0; row < 16; row += IRC_P_ROWS)
    for (size_t k = 0; k < 16 && k < n; k++) {
      irc_p sum[IRC_P_TILE];
      IRC_UNROLL for (int t = 0; t < tokens; t++) sum[t] = irc_p_load(lanes[t][k] + row);
      for (size_t i = k; i < n; i += 16) {
        irc_p weight = irc_p_load(columns[i] + row);
        IRC_UNROLL for (int t = 0; t < tokens; t++)
          sum[t] = irc_p_add_to(sum[t], weight, irc_p_set(x[(size_t)t * x_stride + i]));
      }
      IRC_UNROLL for (int t = 0; t < tokens; t++) irc_p_store(lanes[t][k] + row, sum[t]);
    }
}

IRC_P_KERNEL static void irc_p_many(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, const irc_p_table *table,
  float *IRC_RESTRICT scratch) {
  const size_t padded = irc_padded(w->in);
  const size_t longest = padded < IRC_P_COLUMNS ? padded : IRC_P_COLUMNS;
  float(*columns)[16] = (float(*)[16])(void *)scratch;
  float(*lanes)[16][16] = (float(*)[16][16])(void *)(scratch + 16 * longest);
  const size_t room = irc_linear_scratch_bytes(w->in) / sizeof(float) - 16 * longest;
  const size_t most = room / 256 < IRC_P_TOKENS ? room / 256 : IRC_P_TOKENS;
  for (size_t first = 0, count; first < tokens; first += count) {
    count = tokens - first < most ? tokens - first : most;
    for (size_t o = 0; o < w->out; o += IRC_PANEL_ROWS) {
      const uint8_t *panel = (const uint8_t *)w->codes + o * w->row_bytes;
      const size_t scales = o / IRC_PANEL_ROWS * w->groups;
      memset(lanes, 0, count * sizeof *lanes);
      for (size_t start = 0; start < w->in; start += longest) {
        const size_t n = w->in - start < longest ? w->in - start : longest;
        for (size_t i = start; i < start + n; i += 16)
          irc_p_columns_any(
            columns + (i - start), w, panel, (scales + i / w->group) * IRC_PANEL_ROWS, i / 16,
            table);
        const float *of_tokens = x + first * x_stride + start;
        size_t t = 0;
        for (; t + IRC_P_TILE <= count; t += IRC_P_TILE)
          irc_p_tile(lanes + t, columns, of_tokens + t * x_stride, x_stride, n, IRC_P_TILE);
        for (; t + 3 <= count; t += 3)
          irc_p_tile(lanes + t, columns, of_tokens + t * x_stride, x_stride, n, 3);
        for (; t < count; t++)
          irc_p_tile(lanes + t, columns, of_tokens + t * x_stride, x_stride, n, 1);
      }
      for (size_t t = 0; t < count; t++)
        irc_p_put(
          y + (first + t) * y_stride + o, lanes[t], bias ? bias + o : NULL, w->out - o);
    }
  }
}

IRC_P_KERNEL static void irc_p_linear(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, float *IRC_RESTRICT scratch) {
  // Few integers are looked up too, unless zero points differ from row to row.
  const bool is_short = w->bits <= 4 && (w->values || !w->zeros);
  float values[16];
  for (size_t k = 0; k < 16; k++) {
    const size_t code = k & (((size_t)1 << w->bits) - 1);
    values[k] = w->values ? w->values[code] : (float)((int32_t)code - (1 << (w->bits - 1)));
  }
  const irc_p_table table = irc_p_make_table(values, w->values);
  // Values that no register holds are looked up in memory, which is slow enough.
  if (tokens != 1 || (w->values && w->bits > 4)) {
    irc_p_many(y, y_stride, x, x_stride, w, bias, tokens, &table, scratch);
  } else if (is_short) {
    if (w->bits == 4)
      irc_p_one(y, x, w, bias, &table, 4, true);
    else if (w->bits == 3)
      irc_p_one(y, x, w, bias, &table, 3, true);
    else
      irc_p_one(y, x, w, bias, &table, 2, true);
  } else {
#define IRC_P_INTEGERS(bits) irc_p_one(y, x, w, bias, &table, bits, false)
    IRC_P_OF_BITS(IRC_P_INTEGERS)
#undef IRC_P_INTEGERS
  }
}

void IRC_P_SET(linear_q_f32)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  if (w->layout == IRC_LAYOUT_PANELS)
    irc_p_linear(y, y_stride, x, x_stride, w, bias, tokens, (float *)scratch);
  else if (w->kind != IRC_CODES_SCALED && w->bits <= 4)
    IRC_P_SET(linear_q_fitted)(y, y_stride, x, x_stride, w, bias, tokens, scratch);
  else
    IRC_NAME(linear_q_f32)(y, y_stride, x, x_stride, w, bias, tokens, scratch);
}

IRC_P_KERNEL void IRC_P_SET(linear_q_f32_up)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, const float *IRC_RESTRICT hidden,
  size_t hidden_stride, const irc_real_weights *up, size_t tokens, void *IRC_RESTRICT scratch) {
  IRC_P_SET(linear_q_f32)(y, y_stride, x, x_stride, w, bias, tokens, scratch);
  IRC_P_SET(add_branch)(y, y_stride, hidden, hidden_stride, up, tokens, scratch);
}
