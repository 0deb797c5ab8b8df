// The integer product of many tokens for AVX2: codes of a piece of a panel are unpacked once, with
// kernels_avx2_integer.h before.

// Some columns of a panel, unpacked: their codes, and what belongs to the groups that they meet.
typedef struct irc_avx2_piece {
  uint8_t *u;            // (steps, 64), or (steps, 4, 64) where u has eight bits
  const uint8_t *after;  // the codes that come next
  size_t bytes;          // of this piece's codes
  size_t segments;
  bool starts;     // the first segment begins a group
  struct {
    size_t group, steps;
    bool ends;
    float scale[16];
    int32_t zero[16];     // of the codes
    int32_t centred[16];  // the sum of u - offset - zero
  } segment[IRC_AVX2_PIECE / 16];
} irc_avx2_piece;

// What is known of some tokens, and of their products with a panel so far.
typedef struct irc_avx2_tokens {
  size_t count;
  const int8_t *x;  // flipped, where u has eight bits
  size_t x_stride;
  const uint8_t *chosen;  // with the same stride by four
  irc_avx2_group *group;  // (count, groups)
  int32_t *shift;         // (count): the zero points of what is multiplied
  int8_t *cut;            // (count): what of 127 or -128 has been cut off, 1 or -1; or 0
  bool shifts, cuts;      // not all are zero
  const int8_t *whole_x;  // (count, whole_stride): before that
  size_t whole_stride;
  int32_t *sum;           // (count, 16)
  float *acc;             // (count, 16)
} irc_avx2_tokens;

// Whole blocks of a panel: (8 * blocks, 64)
IRC_AVX2 void irc_avx2_unpack(
  uint8_t *IRC_RESTRICT to, const uint8_t *IRC_RESTRICT block, size_t blocks, uint32_t bits) {
  const __m256i none = _mm256_setzero_si256();
  for (; blocks > 0; blocks--, block += 64 * (size_t)bits)
    IRC_UNROLL for (int half = 0; half < 2; half++, to += 256)
      IRC_UNROLL for (int v = 0; v < 2; v++) {
        __m256i u[4];
        irc_avx2_half(u, block, bits, false, none, half, v);
        IRC_UNROLL for (int s = 0; s < 4; s++) irc_avx2_store(to + 64 * s + 32 * v, u[s]);
      }
}

// The four versions of codes of eight bits: (steps, 64) -> (steps, 4, 64)
IRC_AVX2 void irc_avx2_spread(uint8_t *to, const uint8_t *from, size_t steps) {
  const __m256i second = _mm256_set1_epi32(0x0000ff00), fourth = _mm256_set1_epi32((int)0xff000000);
  for (; steps > 0; steps--, to += 256, from += 64)
    IRC_UNROLL for (int v = 0; v < 64; v += 32) {
      __m256i u = irc_avx2_load(from + v), inverted = _mm256_xor_si256(u, second);
      irc_avx2_store(to + v, u);
      irc_avx2_store(to + v + 64, inverted);
      irc_avx2_store(to + v + 128, _mm256_xor_si256(u, fourth));
      irc_avx2_store(to + v + 192, _mm256_xor_si256(inverted, fourth));
    }
}

// What belongs to the groups of columns start ..< end of a panel. `so_far` has the sums of u of a
// group that has begun before.
IRC_AVX2 void irc_avx2_segments(
  irc_avx2_piece *piece, int32_t so_far[16], const irc_avx2_codes *codes, size_t o, size_t start,
  size_t end, bool sums) {
  const irc_packed_weights *w = codes->w;
  const size_t step_bytes = codes->most > 127 ? 256 : 64;
  const uint8_t *u = piece->u;
  piece->segments = 0;
  piece->starts = start % w->group == 0;
  for (size_t i = start, stop, g = start / w->group; i < end; i = stop, g++) {
    size_t last = (g + 1) * w->group < w->in ? (g + 1) * w->group : w->in;
    stop = last < end ? last : end;
    const size_t k = piece->segments++, steps = (stop - i + 15) / 16 * 4;
    piece->segment[k].group = g;
    piece->segment[k].steps = steps;
    piece->segment[k].ends = stop == last;
    if (i % w->group == 0) memset(so_far, 0, 16 * sizeof *so_far);
    if (sums) {
      __m256i sum[2] = {irc_avx2_load(so_far), irc_avx2_load(so_far + 8)};
      for (size_t s = 0; s < steps; s++, u += step_bytes)
        IRC_UNROLL for (int v = 0; v < 2; v++)
          sum[v] = irc_avx2_widen(
            sum[v], _mm256_maddubs_epi16(irc_avx2_load(u + 32 * v), _mm256_set1_epi8(1)));
      irc_avx2_store(so_far, sum[0]);
      irc_avx2_store(so_far + 8, sum[1]);
    }
    if (stop < last) continue;
    const size_t index = (o / IRC_PANEL_ROWS * w->groups + g) * IRC_PANEL_ROWS;
    const int32_t length = (int32_t)(last - g * w->group);
    const int32_t behind = ((length + 15) / 16 * 16 - length) * codes->padding;
    IRC_UNROLL for (size_t r = 0; r < 16; r += 8) {
      __m256i zero = w->zeros ? irc_avx2_zeros(w, index + r) : _mm256_setzero_si256();
      __m256i whole = _mm256_mullo_epi32(
        _mm256_add_epi32(zero, _mm256_set1_epi32(codes->offset)), _mm256_set1_epi32(length));
      whole = _mm256_add_epi32(whole, _mm256_set1_epi32(behind));
      _mm256_storeu_ps(piece->segment[k].scale + r, irc_avx2_scales(w, index + r));
      irc_avx2_store(piece->segment[k].zero + r, zero);
      irc_avx2_store(
        piece->segment[k].centred + r, _mm256_sub_epi32(irc_avx2_load(so_far + r), whole));
    }
  }
}

// Columns start ..< end of a panel, `start` a multiple of 32.
IRC_TARGET_AVX2 static void irc_avx2_take(
  irc_avx2_piece *piece, int32_t so_far[16], const irc_avx2_codes *codes, size_t o, size_t start,
  size_t end, bool sums) {
  const irc_packed_weights *w = codes->w;
  const bool is_wide = codes->most > 127;
  const size_t blocks = irc_padded(end - start) / IRC_BLOCK;
  const uint8_t *panel = (const uint8_t *)w->codes + o * w->row_bytes + 2 * start * w->bits;
  // What becomes four versions is unpacked where the last quarter of them goes: each step is read
  // before it is written over.
  uint8_t *plain = is_wide ? piece->u + 3 * 512 * blocks : piece->u;
  switch (w->bits) {
    case 2: if (IRC_HAS_BITS(2)) irc_avx2_unpack(plain, panel, blocks, 2); break;
    case 3: if (IRC_HAS_BITS(3)) irc_avx2_unpack(plain, panel, blocks, 3); break;
    case 4: if (IRC_HAS_BITS(4)) irc_avx2_unpack(plain, panel, blocks, 4); break;
    case 5: if (IRC_HAS_BITS(5)) irc_avx2_unpack(plain, panel, blocks, 5); break;
    case 6: if (IRC_HAS_BITS(6)) irc_avx2_unpack(plain, panel, blocks, 6); break;
    case 7: if (IRC_HAS_BITS(7)) irc_avx2_unpack(plain, panel, blocks, 7); break;
    default: break;
  }
  if (w->levels) {
    const __m256i table = _mm256_broadcastsi128_si256(
      _mm_loadu_si128((const __m128i *)(const void *)codes->table));
    for (size_t i = 0; i < 512 * blocks; i += 32)
      irc_avx2_store(plain + i, _mm256_shuffle_epi8(table, irc_avx2_load(plain + i)));
  }
  piece->bytes = 64 * w->bits * blocks;
  piece->after = panel + piece->bytes;
  if (is_wide) irc_avx2_spread(piece->u, w->bits == 8 ? panel : plain, 8 * blocks);
  irc_avx2_segments(piece, so_far, codes, o, start, end, sums);
}

// Adds the products of eight or four steps, `each` of which fit into sixteen bits.
IRC_AVX2 void irc_avx2_narrow_steps(
  __m256i sum[IRC_AVX2_TILE][2], const uint8_t *u, const int8_t *x, size_t x_stride, int tokens,
  int count, int each) {
  __m256i part[IRC_AVX2_TILE][2];
  IRC_UNROLL for (int s = 0; s < count; s++) {
    __m256i low = irc_avx2_load(u + 64 * s), high = irc_avx2_load(u + 64 * s + 32);
    IRC_UNROLL for (int t = 0; t < tokens; t++) {
      __m256i four = irc_avx2_four(x + (size_t)t * x_stride + 4 * s);
      __m256i a = _mm256_maddubs_epi16(low, four), b = _mm256_maddubs_epi16(high, four);
      part[t][0] = s % each ? _mm256_add_epi16(part[t][0], a) : a;
      part[t][1] = s % each ? _mm256_add_epi16(part[t][1], b) : b;
      if ((s + 1) % each && s + 1 < count) continue;
      sum[t][0] = irc_avx2_widen(sum[t][0], part[t][0]);
      sum[t][1] = irc_avx2_widen(sum[t][1], part[t][1]);
    }
  }
}

// Adds the products of four steps where u has eight bits.
IRC_AVX2 void irc_avx2_wide_steps(
  __m256i sum[IRC_AVX2_TILE][2], const uint8_t *u, const int8_t *x, const uint8_t *chosen,
  size_t x_stride, int tokens) {
  IRC_UNROLL for (int s = 0; s < 4; s++)
    IRC_UNROLL for (int t = 0; t < tokens; t++) {
      const uint8_t *version = u + 8 * (size_t)chosen[(size_t)t * (x_stride / 4) + (size_t)s];
      __m256i four = irc_avx2_four(x + (size_t)t * x_stride + 4 * s);
      sum[t][0] = irc_avx2_widen(
        sum[t][0], _mm256_maddubs_epi16(irc_avx2_load(version + 256 * s), four));
      sum[t][1] = irc_avx2_widen(
        sum[t][1], _mm256_maddubs_epi16(irc_avx2_load(version + 256 * s + 32), four));
    }
}

// Adds the products with what was cut off of a token.
IRC_TARGET_AVX2 static void irc_avx2_add_cut(
  __m256i sum[2], const uint8_t *u, const int8_t *x, size_t steps, int8_t cut) {
  const __m256i beyond = _mm256_set1_epi8(cut > 0 ? 127 : -128), one = _mm256_set1_epi8(cut);
  for (size_t s = 0; s < steps; s++) {
    __m256i hit = _mm256_cmpeq_epi8(irc_avx2_four(x + 4 * s), beyond);
    if (_mm256_testz_si256(hit, hit)) continue;
    hit = _mm256_and_si256(hit, one);
    for (size_t v = 0; v < 2; v++)
      sum[v] = irc_avx2_widen(
        sum[v], _mm256_maddubs_epi16(irc_avx2_load(u + 256 * s + 32 * v), hit));
  }
}

// Some tokens from number t on times a piece. `each`: steps that fit into sixteen bits; 0: u has
// eight.
IRC_AVX2 void irc_avx2_tile(
  const irc_avx2_tokens *tokens, size_t t, const irc_avx2_piece *piece, const irc_avx2_codes *codes,
  size_t start, int count, int each) {
  const irc_packed_weights *w = codes->w;
  const uint8_t *u = piece->u;
  const size_t stride = tokens->x_stride;
  const int8_t *first = tokens->x + t * stride + start, *x = first;
  const uint8_t *chosen = each ? NULL : tokens->chosen + (t * stride + start) / 4;
  for (size_t k = 0; k < piece->segments; k++) {
    __m256i sum[IRC_AVX2_TILE][2];
    const bool is_new = k > 0 || piece->starts;
    IRC_UNROLL for (int j = 0; j < count; j++)
      IRC_UNROLL for (int v = 0; v < 2; v++)
        sum[j][v] = is_new ? _mm256_setzero_si256()
                           : irc_avx2_load(tokens->sum + 16 * (t + (size_t)j) + 8 * v);
    size_t steps = piece->segment[k].steps;
    if (!each && tokens->cuts)
      IRC_UNROLL for (int j = 0; j < count; j++) {
        const size_t at = t + (size_t)j;
        const int8_t *whole = tokens->whole_x + at * tokens->whole_stride + start + (x - first);
        if (tokens->cut[at]) irc_avx2_add_cut(sum[j], u, whole, steps, tokens->cut[at]);
      }
    if (each) {
      for (; steps >= 8; steps -= 8, u += 512, x += 32)
        irc_avx2_narrow_steps(sum, u, x, stride, count, 8, each);
      if (steps) {
        irc_avx2_narrow_steps(sum, u, x, stride, count, 4, each);
        u += 256, x += 16;
      }
    } else {
      for (; steps; steps -= 4, u += 1024, x += 16, chosen += 4)
        irc_avx2_wide_steps(sum, u, x, chosen, stride, count);
    }
    const size_t g = piece->segment[k].group;
    IRC_UNROLL for (int j = 0; j < count; j++) {
      const irc_avx2_group *group = tokens->group + (t + (size_t)j) * w->groups + g;
      IRC_UNROLL for (int v = 0; v < 2; v++) {
        int32_t *sum_at = tokens->sum + 16 * (t + (size_t)j) + 8 * v;
        float *acc_at = tokens->acc + 16 * (t + (size_t)j) + 8 * v;
        if (!piece->segment[k].ends) {
          irc_avx2_store(sum_at, sum[j][v]);
          continue;
        }
        __m256i whole = _mm256_add_epi32(sum[j][v], _mm256_set1_epi32(group->added));
        if (w->zeros)
          whole = _mm256_sub_epi32(
            whole, _mm256_mullo_epi32(
                     irc_avx2_load(piece->segment[k].zero + 8 * v), _mm256_set1_epi32(group->sum)));
        if (tokens->shifts)
          whole = _mm256_sub_epi32(
            whole, _mm256_mullo_epi32(
                     irc_avx2_load(piece->segment[k].centred + 8 * v),
                     _mm256_set1_epi32(tokens->shift[t + (size_t)j])));
        _mm256_storeu_ps(
          acc_at, irc_avx2_add_group(
                    _mm256_loadu_ps(acc_at), whole,
                    _mm256_loadu_ps(piece->segment[k].scale + 8 * v)));
      }
    }
  }
}

// Asks for a share of the codes that come next, so that they come while this piece is multiplied.
IRC_AVX2 void irc_avx2_ask(const irc_avx2_piece *piece, size_t t, size_t tile, size_t count) {
  const size_t lines = piece->bytes / 64, last = lines * (t + tile) / count;
  for (size_t k = lines * t / count; k < last; k++)
    _mm_prefetch((const char *)piece->after + 64 * k, _MM_HINT_T0);
}

#define IRC_TILES(tile, each)                                                                  \
  do {                                                                                         \
    size_t t = 0;                                                                              \
    for (; t + tile <= tokens->count; t += tile) {                                             \
      irc_avx2_ask(piece, t, tile, tokens->count);                                             \
      irc_avx2_tile(tokens, t, piece, codes, start, tile, each);                               \
    }                                                                                          \
    for (; t < tokens->count; t++) irc_avx2_tile(tokens, t, piece, codes, start, 1, each);     \
  } while (0)

// All tokens times a piece.
IRC_TARGET_AVX2 static void irc_avx2_multiply(
  const irc_avx2_tokens *tokens, const irc_avx2_piece *piece, const irc_avx2_codes *codes,
  size_t start) {
  int steps = codes->most > 127 ? 0 : irc_avx2_steps(codes->most);
  if (steps >= 8)
    IRC_TILES(2, 8);  // more need more registers than there are
  else if (steps >= 4)
    IRC_TILES(4, 4);
  else if (steps >= 2)
    IRC_TILES(4, 2);
  else if (steps == 1)
    IRC_TILES(4, 1);
  else
    IRC_TILES(4, 0);
}
#undef IRC_TILES

IRC_TARGET_AVX2 static void irc_avx2_many(
  float *IRC_RESTRICT y, size_t y_stride, const int8_t *IRC_RESTRICT x, size_t x_stride,
  const float *x_scale, const int32_t *x_zero, size_t x_scale_stride, const irc_avx2_codes *codes,
  const float *bias, size_t count, void *IRC_RESTRICT scratch) {
  const irc_packed_weights *w = codes->w;
  const bool is_wide = codes->most > 127;
  const size_t padded = irc_padded(w->in);
  const size_t longest = padded < IRC_AVX2_PIECE ? padded : IRC_AVX2_PIECE;
  // Rows of tokens that begin at different places of the cache.
  const size_t stride = padded + 64;
  uint8_t *next = (uint8_t *)scratch + (64 - (uintptr_t)scratch % 64);
  irc_avx2_piece piece = {.u = next};
  next += (is_wide ? 64 : 16) * longest;
  const size_t each = 32 * sizeof(float) + sizeof(int32_t) + 1 + w->groups * sizeof(irc_avx2_group)
    + (is_wide ? stride + stride / 4 : 0);
  const size_t room = (size_t)((uint8_t *)scratch + irc_linear_scratch_bytes(w->in) - next) / each;
  const size_t most = room < IRC_AVX2_TOKENS ? room : IRC_AVX2_TOKENS;
  irc_avx2_tokens tokens = {.sum = (int32_t *)(void *)next};
  tokens.acc = (float *)(void *)(tokens.sum + 16 * most);
  tokens.shift = (int32_t *)(void *)(tokens.acc + 16 * most);
  tokens.group = (irc_avx2_group *)(void *)(tokens.shift + most);
  int8_t *flipped = (int8_t *)(tokens.group + most * w->groups);
  uint8_t *chosen = (uint8_t *)flipped + (is_wide ? stride * most : 0);
  tokens.cut = (int8_t *)chosen + (is_wide ? stride / 4 * most : 0);
  tokens.chosen = chosen;
  // Rows whose panels stay near while all tokens pass; all, if the tokens pass together.
  const size_t bytes = IRC_PANEL_ROWS * w->row_bytes;
  size_t rows = (IRC_AVX2_RESIDENT / bytes + 1) * IRC_PANEL_ROWS;
  if (count <= most) rows = w->out;
  for (size_t first = 0; first < w->out; first += rows) {
    const size_t last = w->out - first < rows ? w->out : first + rows;
    for (size_t t = 0; t < count; t += tokens.count) {
      tokens.count = count - t < most ? count - t : most;
      tokens.shifts = tokens.cuts = false;
      tokens.whole_x = x + t * x_stride;
      tokens.whole_stride = x_stride;
      tokens.x = is_wide ? flipped : tokens.whole_x;
      tokens.x_stride = is_wide ? stride : x_stride;
      for (size_t j = 0; j < tokens.count; j++) {
        const int8_t *row = tokens.whole_x + j * x_stride;
        irc_avx2_group *group = tokens.group + j * w->groups;
        tokens.shift[j] = x_zero ? x_zero[(t + j) * x_scale_stride] : 0;
        if (is_wide) {
          bool cut;
          int32_t up = irc_avx2_step_up(&cut, row, padded);
          irc_avx2_flip(
            flipped + j * stride, chosen + j * (stride / 4), group, codes, row, up, true);
          tokens.cut[j] = cut ? (up ? 1 : -1) : 0;
          tokens.cuts |= cut;
          tokens.shift[j] += up;
        } else {
          irc_avx2_sums(group, codes, row);
        }
        tokens.shifts |= tokens.shift[j] != 0;
      }
      for (size_t o = first; o < last; o += IRC_PANEL_ROWS) {
        int32_t so_far[16];
        memset(tokens.acc, 0, tokens.count * 16 * sizeof(float));
        for (size_t start = 0; start < w->in; start += longest) {
          const size_t end = w->in - start < longest ? w->in : start + longest;
          irc_avx2_take(&piece, so_far, codes, o, start, end, tokens.shifts);
          irc_avx2_multiply(&tokens, &piece, codes, start);
        }
        for (size_t j = 0; j < tokens.count; j++)
          irc_avx2_put(
            y + (t + j) * y_stride + o, _mm256_loadu_ps(tokens.acc + 16 * j),
            _mm256_loadu_ps(tokens.acc + 16 * j + 8), x_scale[(t + j) * x_scale_stride],
            bias ? bias + o : NULL, w->out - o < IRC_PANEL_ROWS ? w->out - o : IRC_PANEL_ROWS);
      }
    }
  }
}
