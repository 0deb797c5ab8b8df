// The integer product of one token for AVX2: codes go from memory through registers, with
// kernels_avx2_integer.h before.

// Steps whose sums of two products fit into sixteen bits, where u is at most `most`.
IRC_AVX2 int irc_avx2_steps(int32_t most) { return most == 0 ? 64 : 32767 / (256 * most); }

// Adds the products of step s of half a block and eight rows.
IRC_AVX2 void irc_avx2_one_step(
  __m256i *sum, __m256i *part, __m256i u, const int8_t *x, int s, int steps) {
  __m256i two = _mm256_maddubs_epi16(u, irc_avx2_four(x + 4 * s));
  *part = steps < 8 && s % steps == 0 ? two : _mm256_add_epi16(*part, two);
  if (steps < 8 && (s + 1) % steps == 0) *sum = irc_avx2_widen(*sum, *part);
}

// Those of all four. `flips` is NULL where u has seven bits.
IRC_AVX2 void irc_avx2_one_eight(
  __m256i *sum, __m256i *part, const uint8_t *block, const int8_t *x, const uint8_t *flips,
  uint32_t bits, bool is_table, __m256i table, int half, int v, int steps) {
  __m256i u[4];
  irc_avx2_half(u, block, bits, is_table, table, half, v);
  if (flips)
    IRC_UNROLL for (int s = 0; s < 4; s++)
      u[s] = _mm256_xor_si256(u[s], irc_avx2_four(flips + 4 * s));
  irc_avx2_one_step(sum, part, u[0], x, 0, steps);
  irc_avx2_one_step(sum, part, u[1], x, 1, steps);
  irc_avx2_one_step(sum, part, u[2], x, 2, steps);
  irc_avx2_one_step(sum, part, u[3], x, 3, steps);
}

// The same of sixteen rows.
IRC_AVX2 void irc_avx2_one_half(
  __m256i sum[2], __m256i part[2], const uint8_t *block, const int8_t *x, const uint8_t *flips,
  uint32_t bits, bool is_table, __m256i table, int half, int steps) {
  irc_avx2_one_eight(sum, part, block, x, flips, bits, is_table, table, half, 0, steps);
  irc_avx2_one_eight(sum + 1, part + 1, block, x, flips, bits, is_table, table, half, 1, steps);
}

// The same of half a block that stands alone.
IRC_TARGET_AVX2 static void irc_avx2_one_odd(
  __m256i sum[2], const uint8_t *panel, const int8_t *x, const uint8_t *flips, size_t h,
  uint32_t bits, bool is_table, __m256i table) {
  __m256i part[2];
  irc_avx2_one_half(
    sum, part, panel + h / 2 * 64 * bits, x + 16 * h, flips ? flips + 16 * h : NULL, bits, is_table,
    table, h % 2, 1);
}

// Adds the products of columns 16 first ..< 16 last of a panel.
IRC_AVX2 void irc_avx2_one_run(
  __m256i sum[2], const uint8_t *panel, const int8_t *x, const uint8_t *flips, size_t first,
  size_t last, uint32_t bits, bool is_table, __m256i table, int steps) {
  const size_t ahead = 4096;
  size_t h = first;
  if (h < last && h % 2) irc_avx2_one_odd(sum, panel, x, flips, h++, bits, is_table, table);
  while (h + 2 <= last) {
    __m256i part[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const size_t most = steps < 8 ? SIZE_MAX : (size_t)(steps / 8);
    size_t blocks = (last - h) / 2 < most ? (last - h) / 2 : most;
    for (; blocks > 0; blocks--, h += 2) {
      const uint8_t *block = panel + h / 2 * 64 * bits;
      IRC_UNROLL for (uint32_t line = 0; line < bits; line++)
        _mm_prefetch((const char *)block + ahead + 64 * line, _MM_HINT_T0);
      const int8_t *of_token = x + 16 * h;
      const uint8_t *of_flips = flips ? flips + 16 * h : NULL;
      irc_avx2_one_half(sum, part, block, of_token, of_flips, bits, is_table, table, 0, steps);
      of_token += 16;
      of_flips = flips ? of_flips + 16 : NULL;
      irc_avx2_one_half(sum, part, block, of_token, of_flips, bits, is_table, table, 1, steps);
    }
    if (steps >= 8) {
      sum[0] = irc_avx2_widen(sum[0], part[0]);
      sum[1] = irc_avx2_widen(sum[1], part[1]);
    }
  }
  if (h < last) irc_avx2_one_odd(sum, panel, x, flips, h, bits, is_table, table);
}

// A token without a zero point. Four panels at a time, a few kilobytes of each in turn: as many
// streams as a processor's own prefetching follows.
IRC_AVX2 void irc_avx2_one(
  float *IRC_RESTRICT y, const int8_t *x, float x_scale, const irc_avx2_codes *codes,
  const float *bias, const irc_avx2_group *group, const uint8_t *flips, uint32_t bits,
  bool is_table, int steps) {
  const irc_packed_weights *w = codes->w;
  const __m256i table = _mm256_broadcastsi128_si256(
    _mm_loadu_si128((const __m128i *)(const void *)codes->table));
  const size_t panel_bytes = IRC_PANEL_ROWS * w->row_bytes, piece = 2048 / bits / 32 * 32;
  for (size_t o = 0; o < w->out; o += IRC_AVX2_STREAMS * IRC_PANEL_ROWS) {
    size_t panels = (w->out - o + IRC_PANEL_ROWS - 1) / IRC_PANEL_ROWS;
    if (panels > IRC_AVX2_STREAMS) panels = IRC_AVX2_STREAMS;
    __m256i sums[IRC_AVX2_STREAMS][2];
    __m256 accs[IRC_AVX2_STREAMS][2];
    for (size_t p = 0; p < panels; p++) {
      sums[p][0] = sums[p][1] = _mm256_setzero_si256();
      accs[p][0] = accs[p][1] = _mm256_setzero_ps();
    }
    size_t g = 0, of_piece = 0;
    for (size_t start = 0; start < w->in; start += piece) {
      size_t stop = w->in - start < piece ? w->in : start + piece;
      for (size_t p = 0; p < panels; p++) {
        const uint8_t *panel = (const uint8_t *)w->codes + (o / IRC_PANEL_ROWS + p) * panel_bytes;
        __m256i sum[2] = {sums[p][0], sums[p][1]};
        __m256 acc[2] = {accs[p][0], accs[p][1]};
        of_piece = g;
        for (size_t i = start; i < stop;) {
          size_t last = (of_piece + 1) * w->group, end = last < stop ? last : stop;
          irc_avx2_one_run(
            sum, panel, x, flips, i / 16, (end + 15) / 16, bits, is_table, table, steps);
          i = end;
          if (end < last && end < w->in) break;
          size_t index = ((o / IRC_PANEL_ROWS + p) * w->groups + of_piece) * IRC_PANEL_ROWS;
          IRC_UNROLL for (size_t v = 0; v < 2; v++) {
            sum[v] = _mm256_add_epi32(sum[v], _mm256_set1_epi32(group[of_piece].added));
            if (w->zeros)
              sum[v] = _mm256_sub_epi32(
                sum[v], _mm256_mullo_epi32(
                          irc_avx2_zeros(w, index + 8 * v),
                          _mm256_set1_epi32(group[of_piece].sum)));
            acc[v] = irc_avx2_add_group(acc[v], sum[v], irc_avx2_scales(w, index + 8 * v));
            sum[v] = _mm256_setzero_si256();
          }
          of_piece++;
        }
        sums[p][0] = sum[0], sums[p][1] = sum[1];
        accs[p][0] = acc[0], accs[p][1] = acc[1];
      }
      g = of_piece;
    }
    for (size_t p = 0; p < panels; p++) {
      size_t row = o + p * IRC_PANEL_ROWS, left = w->out - row;
      irc_avx2_put(
        y + row, accs[p][0], accs[p][1], x_scale, bias ? bias + row : NULL,
        left < IRC_PANEL_ROWS ? left : IRC_PANEL_ROWS);
    }
  }
}

// Whether the only token can be multiplied while the codes are unpacked; then it is.
IRC_TARGET_AVX2 static bool irc_avx2_only(
  float *IRC_RESTRICT y, const int8_t *x, float x_scale, const irc_avx2_codes *codes,
  const float *bias, void *IRC_RESTRICT scratch) {
  const irc_packed_weights *w = codes->w;
  irc_avx2_group *group = (irc_avx2_group *)scratch;
  const uint8_t *flips = NULL;
  int steps = irc_avx2_steps(codes->most);
  if (w->levels && w->bits < 4) return false;
  if (steps == 0 || (w->levels && steps < 4)) {
    int8_t *flipped = (int8_t *)(group + w->groups);
    bool cut;
    if (irc_avx2_step_up(&cut, x, irc_padded(w->in)) != 0 || cut) return false;
    irc_avx2_flip(
      flipped, (uint8_t *)flipped + irc_padded(w->in), group, codes, x, 0, false);
    flips = (const uint8_t *)flipped + irc_padded(w->in);
    x = flipped;
  } else {
    irc_avx2_sums(group, codes, x);
  }
#define IRC_ONE(bits, is_table, steps, flips)                                                   \
  irc_avx2_one(y, x, x_scale, codes, bias, group, flips, bits, is_table, steps);                \
  return true
  if (w->levels) {
    if (flips) {
      IRC_ONE(4, true, 1, flips);
    }
    IRC_ONE(4, true, 4, NULL);
  }
  switch (w->bits) {
    case 2: if (!IRC_HAS_BITS(2)) break; IRC_ONE(2, false, 40, NULL);
    case 3: if (!IRC_HAS_BITS(3)) break; IRC_ONE(3, false, 16, NULL);
    case 4: if (!IRC_HAS_BITS(4)) break; IRC_ONE(4, false, 8, NULL);
    case 5: if (!IRC_HAS_BITS(5)) break; IRC_ONE(5, false, 4, NULL);
    case 6: if (!IRC_HAS_BITS(6)) break; IRC_ONE(6, false, 2, NULL);
    case 7: if (!IRC_HAS_BITS(7)) break; IRC_ONE(7, false, 1, NULL);
    default: if (!IRC_HAS_BITS(8)) break; IRC_ONE(8, false, 1, flips);
  }
  return false;
#undef IRC_ONE
}
