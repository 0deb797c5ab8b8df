// Products with weights whose groups have values of their own, of codes of at most four bits: a vector holds
// all values of a group and looks up sixteen codes at once. The same bits as linear_q_f32; needs
// kernels_vector_products.h.

// The numbers of a group: at most sixteen.
IRC_VECTOR void irc_v_load_numbers(
  float numbers[16], const irc_packed_weights *w, size_t index, size_t count) {
  if (w->scale_type == IRC_SCALE_F16) {
    const uint16_t *from = (const uint16_t *)w->scales + index * count;
    irc_v_store(numbers, count == 16 ? irc_v_load_half(from) : irc_v_load_half_some(from, count));
    return;
  }
  for (size_t k = 0; k < count; k++) numbers[k] = irc_scale_at(w, index * count + k);
}

// What the codes of a group stand for, in the order of irc_group_values. Codes of fewer bits are extended by
// their sign to the four that are looked up, so values repeat.
IRC_VECTOR irc_v irc_v_group_values(const float numbers[16], irc_code_kind kind, uint32_t bits) {
  static const float signs[4][16] = {
    {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1},
    {-1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1},
    {-1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1},
    {-1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1},
  };
  if (kind == IRC_CODES_LISTED) {
    float values[16];
    for (size_t k = 0; k < 16; k++) values[k] = numbers[k & (((size_t)1 << bits) - 1)];
    return irc_v_load(values);
  }
  irc_v sum = irc_v_set(kind == IRC_CODES_OFFSET ? numbers[bits] : 0.0f);
  for (uint32_t k = 0; k < bits; k++)
    sum = irc_v_add(sum, irc_v_mul(irc_v_load(signs[k]), irc_v_set(numbers[k])));
  return sum;
}

// A row of weights: (in)
IRC_VECTOR void irc_v_dequantize_fitted(
  float *IRC_RESTRICT y, const irc_packed_weights *w, size_t row) {
  float numbers[16], values[16];
  const size_t count_of_group = irc_group_numbers(w->kind, w->bits);
  size_t made = SIZE_MAX;
  irc_v table = irc_v_set(0.0f);
  IRC_FOR_RUNS(w, row, {
    if (index != made) {
      irc_v_load_numbers(numbers, w, index, count_of_group);
      table = irc_v_group_values(numbers, w->kind, w->bits);
      irc_v_store(values, table);
      made = index;
    }
    size_t i = 0;
    for (; i + 16 <= count; i += 16) irc_v_store(y + at + i, irc_v_look_up(table, codes + i));
    for (; i < count; i++) y[at + i] = values[codes[i] & 15];
  });
}

IRC_KERNEL void IRC_OF_SET(linear_q_fitted)(
  float *IRC_RESTRICT y, size_t y_stride, const float *IRC_RESTRICT x, size_t x_stride,
  const irc_packed_weights *w, const float *bias, size_t tokens, void *IRC_RESTRICT scratch) {
  float *rows = (float *)scratch;
  for (size_t o = 0, count; o < w->out; o += count) {
    count = w->out - o < 4 ? w->out - o : 4;
    for (size_t r = 0; r < count; r++) irc_v_dequantize_fitted(rows + r * w->in, w, o + r);
    irc_v_linear(
      y + o, y_stride, x, x_stride, rows, false, bias ? bias + o : NULL, tokens, w->in, count);
  }
}
