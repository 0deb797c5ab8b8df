// Quantizers of activations that make the first product of a branch from the columns that they have at hand.
//
// Whoever includes this, once for a set, has defined how functions are declared and named, IRC_DOWN_KERNEL
// and IRC_DOWN_OF_SET(name); IRC_DOWN_COLUMNS that lie in the first-level cache; and, of its own kind,
// irc_widen, irc_quantize_token, irc_add_down and irc_sum_down as IRC_DOWN(name), and
// IRC_DOWN_QUANTIZE(codes, x, n, r, zero, low, high).
#define IRC_DOWN_LEAST(a, b) ((a) < (b) ? (a) : (b))

IRC_DOWN_KERNEL void IRC_DOWN_OF_SET(quantize_tokens_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT scale,
  int32_t *IRC_RESTRICT zero, float *IRC_RESTRICT hidden, size_t hidden_stride,
  const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down, size_t tokens,
  uint32_t bits, void *IRC_RESTRICT scratch) {
  float *lanes = (float *)scratch;
  size_t n = down->in, count;
  for (size_t first = 0; first < tokens; first += count) {
    count = IRC_DOWN_LEAST(tokens - first, IRC_DOWN_TOKENS);
    const float *rows = x + first * x_stride;
    irc_span spans[IRC_DOWN_TOKENS];
    for (size_t t = 0; t < count; t++) spans[t] = irc_no_span();
    memset(lanes, 0, irc_down_scratch_bytes(down->out));
    for (size_t start = 0; start < n; start += IRC_DOWN_COLUMNS) {
      size_t length = IRC_DOWN_LEAST(n - start, IRC_DOWN_COLUMNS);
      for (size_t t = 0; t < count; t++)
        IRC_DOWN(widen)(&spans[t], rows + t * x_stride + start, length, zero != NULL);
      IRC_DOWN(add_down)(lanes, rows, x_stride, count, down, start, length);
    }
    for (size_t t = 0; t < count; t++)
      scale[first + t] = IRC_DOWN(quantize_token)(
        codes + (first + t) * code_stride, code_stride, zero ? zero + first + t : NULL,
        rows + t * x_stride, n, bits, spans[t]);
    IRC_DOWN(sum_down)(hidden + first * hidden_stride, hidden_stride, lanes, count, down->out);
  }
}

IRC_DOWN_KERNEL void IRC_DOWN_OF_SET(quantize_static_down)(
  int8_t *IRC_RESTRICT codes, size_t code_stride, float *IRC_RESTRICT hidden,
  size_t hidden_stride, const float *IRC_RESTRICT x, size_t x_stride, const irc_real_weights *down,
  size_t tokens, float scale, int32_t zero, int32_t low, int32_t high,
  void *IRC_RESTRICT scratch) {
  float *lanes = (float *)scratch;
  float r = irc_reciprocal(scale);
  size_t n = down->in, count;
  for (size_t first = 0; first < tokens; first += count) {
    count = IRC_DOWN_LEAST(tokens - first, IRC_DOWN_TOKENS);
    const float *rows = x + first * x_stride;
    memset(lanes, 0, irc_down_scratch_bytes(down->out));
    for (size_t start = 0; start < n; start += IRC_DOWN_COLUMNS) {
      size_t length = IRC_DOWN_LEAST(n - start, IRC_DOWN_COLUMNS);
      for (size_t t = 0; t < count; t++)
        IRC_DOWN_QUANTIZE(
          codes + (first + t) * code_stride + start, rows + t * x_stride + start, length, r, zero,
          low, high);
      IRC_DOWN(add_down)(lanes, rows, x_stride, count, down, start, length);
    }
    for (size_t t = 0; t < count; t++)
      irc_pad_codes(codes + (first + t) * code_stride, n, code_stride);
    IRC_DOWN(sum_down)(hidden + first * hidden_stride, hidden_stride, lanes, count, down->out);
  }
}
