// Ranges and codes of a token in vectors of sixteen. Everything is static; see kernels_vector_math.h.

// Takes the next two vectors of x, zeros behind its end, which change no range.
IRC_VECTOR void irc_v_load_pair(irc_v pair[2], const float *x, size_t rest) {
  if (rest >= 2 * IRC_LANES) {
    pair[0] = irc_v_load(x);
    pair[1] = irc_v_load(x + IRC_LANES);
  } else {
    pair[0] = irc_v_load_some(x, rest < IRC_LANES ? rest : IRC_LANES);
    pair[1] = irc_v_set(0.0f);
    if (rest > IRC_LANES) pair[1] = irc_v_load_some(x + IRC_LANES, rest - IRC_LANES);
  }
}

// As irc_widen.
IRC_SHARED void irc_v_widen(
  irc_span *span, const float *IRC_RESTRICT x, size_t n, bool has_zero) {
  irc_v zero = irc_v_set(0.0f), most[2] = {zero, zero}, least[2] = {zero, zero}, pair[2];
  if (!has_zero) {
    for (size_t i = 0; i < n; i += 2 * IRC_LANES) {
      irc_v_load_pair(pair, x + i, n - i);
      most[0] = irc_v_max(irc_v_abs(pair[0]), most[0]);
      most[1] = irc_v_max(irc_v_abs(pair[1]), most[1]);
    }
    float high = irc_v_largest(irc_v_max(most[0], most[1]), 0.0f);
    span->absmax = high > span->absmax ? high : span->absmax;
    return;
  }
  for (size_t i = 0; i < n; i += 2 * IRC_LANES) {
    irc_v_load_pair(pair, x + i, n - i);
    least[0] = irc_v_min(pair[0], least[0]), most[0] = irc_v_max(pair[0], most[0]);
    least[1] = irc_v_min(pair[1], least[1]), most[1] = irc_v_max(pair[1], most[1]);
  }
  float high = irc_v_largest(irc_v_max(most[0], most[1]), 0.0f);
  float low = -irc_v_largest(irc_v_negate(irc_v_min(least[0], least[1])), 0.0f);
  span->low = low < span->low ? low : span->low;
  span->high = high > span->high ? high : span->high;
}

// As irc_quantize_token.
IRC_SHARED float irc_v_quantize_token(
  int8_t *IRC_RESTRICT codes, size_t code_stride, int32_t *zero, const float *IRC_RESTRICT x,
  size_t n, uint32_t bits, irc_span span) {
  irc_token_scale token = irc_scale_of_token(span, bits, zero != NULL);
  irc_code_range range = irc_range_of_codes(bits, zero == NULL);
  if (zero) *zero = token.zero;
  irc_v_quantize(
    codes, x, n, token.reciprocal, token.zero, (float)(range.low - token.zero),
    (float)(range.high - token.zero));
  irc_pad_codes(codes, n, code_stride);
  return token.scale;
}
