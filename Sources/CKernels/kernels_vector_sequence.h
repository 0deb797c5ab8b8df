// Attention, causal convolution and selective scan in vectors of sixteen lanes: the same bits as the
// portable ones; see kernels_vector_math.h.

// ---- Attention ----------------------------------------------------------------------------------

// Heads that read the same keys go together, four, two or one: `heads` below is known when this is
// compiled. Sixteen scores are made at once, those of 16 / heads keys for each head in turn.

// Some keys times some queries, in lanes: (keys, n) with a stride, (queries, n) dense -> lanes
// [query * keys_in_all + key]
IRC_VECTOR void irc_v_dots(
  irc_v *lanes, size_t keys_in_all, const float *k, size_t k_stride, const float *q, size_t n,
  size_t keys, size_t queries) {
  irc_v sum[IRC_TILE_KEYS * IRC_TILE_QUERIES];
  IRC_UNROLL for (size_t s = 0; s < keys * queries; s++) sum[s] = irc_v_set(0.0f);
  for (size_t i = 0; i < n; i += IRC_LANES) {
    size_t some = n - i;
    irc_v v[IRC_TILE_QUERIES];
    IRC_UNROLL for (size_t h = 0; h < queries; h++)
      v[h] = some < IRC_LANES ? irc_v_load_some(q + h * n + i, some) : irc_v_load(q + h * n + i);
    IRC_UNROLL for (size_t r = 0; r < keys; r++) {
      const float *row = k + r * k_stride + i;
      irc_v key = some < IRC_LANES ? irc_v_load_some(row, some) : irc_v_load(row);
      IRC_UNROLL for (size_t h = 0; h < queries; h++)
        sum[h * keys + r] = irc_v_add(sum[h * keys + r], irc_v_mul(key, v[h]));
    }
  }
  IRC_UNROLL for (size_t h = 0; h < queries; h++)
    IRC_UNROLL for (size_t r = 0; r < keys; r++) lanes[h * keys_in_all + r] = sum[h * keys + r];
}

// Sixteen scores, not yet scaled.
IRC_VECTOR irc_v irc_v_scores(
  const float *k, size_t k_stride, const float *q, size_t head_dim, size_t heads) {
  size_t keys = IRC_LANES / heads;
  size_t queries = heads < IRC_TILE_QUERIES ? heads : IRC_TILE_QUERIES;
  size_t step = IRC_TILE_KEYS * IRC_TILE_QUERIES / queries;
  irc_v lanes[IRC_LANES];
  if (step > keys) step = keys;
  for (size_t h = 0; h < heads; h += queries)
    for (size_t r = 0; r < keys; r += step)
      irc_v_dots(
        lanes + h * keys + r, keys, k + r * k_stride, k_stride, q + h * head_dim, head_dim, step,
        queries);
  return irc_v_sums(lanes);
}

// Puts sixteen scores where they belong: `weight` has a row for each head.
IRC_VECTOR void irc_v_place_scores(
  float *IRC_RESTRICT weight, size_t weight_stride, irc_v score, size_t heads) {
  float scores[IRC_LANES];
  size_t keys = IRC_LANES / heads;
  irc_v_store(scores, score);
  IRC_UNROLL for (size_t h = 0; h < heads; h++)
    memcpy(weight + h * weight_stride, scores + h * keys, keys * sizeof(float));
}

// exp(weight - most) in place, and the sum of it in lanes: (count) -> scalar
IRC_VECTOR float irc_v_exp_weights(float *IRC_RESTRICT weight, size_t count, float most) {
  irc_v lane = irc_v_set(0.0f), least = irc_v_set(most);
  size_t j = 0;
  for (; j + IRC_LANES <= count; j += IRC_LANES) {
    irc_v e = irc_v_exp(irc_v_sub(irc_v_load(weight + j), least));
    irc_v_store(weight + j, e);
    lane = irc_v_add(lane, e);
  }
  if (j < count) {
    size_t some = count - j;
    irc_v e = irc_v_exp(irc_v_sub(irc_v_load_some(weight + j, some), least));
    irc_v_store_some(weight + j, e, some);
    lane = irc_v_add(lane, irc_v_first(e, some));
  }
  return irc_v_sum(lane);
}

// The sum over j of weight[j] * row j of v, divided by the head's sum, for some vectors of columns, the
// last of which has `some` lanes, and some heads: (heads, head_dim)
IRC_VECTOR void irc_v_weigh(
  float *IRC_RESTRICT y, size_t head_dim, const float *IRC_RESTRICT weight, size_t weight_stride,
  const void *IRC_RESTRICT v, bool is_codes, size_t v_stride, size_t count, const float *sums,
  size_t vectors, size_t some, size_t heads) {
  const float *numbers = (const float *)v;
  const int8_t *codes = (const int8_t *)v;
  irc_v acc[IRC_TILE_HEADS * IRC_TILE_VECTORS];
  IRC_UNROLL for (size_t i = 0; i < heads * vectors; i++) acc[i] = irc_v_set(0.0f);
  for (size_t j = 0; j < count; j++) {
    irc_v w[IRC_TILE_HEADS];
    IRC_UNROLL for (size_t h = 0; h < heads; h++) w[h] = irc_v_set(weight[h * weight_stride + j]);
    IRC_UNROLL for (size_t i = 0; i < vectors; i++) {
      size_t at = j * v_stride + i * IRC_LANES;
      irc_v value;
      if (i + 1 == vectors && some < IRC_LANES)
        value =
          is_codes ? irc_v_load_codes_some(codes + at, some) : irc_v_load_some(numbers + at, some);
      else
        value = is_codes ? irc_v_load_codes(codes + at) : irc_v_load(numbers + at);
      IRC_UNROLL for (size_t h = 0; h < heads; h++)
        acc[h * vectors + i] = irc_v_add(acc[h * vectors + i], irc_v_mul(w[h], value));
    }
  }
  IRC_UNROLL for (size_t h = 0; h < heads; h++) {
    irc_v all = irc_v_set(sums[h]);
    IRC_UNROLL for (size_t i = 0; i < vectors; i++) {
      float *at = y + h * head_dim + i * IRC_LANES;
      irc_v value = irc_v_div(acc[h * vectors + i], all);
      if (i + 1 == vectors && some < IRC_LANES)
        irc_v_store_some(at, value, some);
      else
        irc_v_store(at, value);
    }
  }
}

// The same for all columns and heads.
IRC_VECTOR void irc_v_weigh_all(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT weight, size_t weight_stride,
  const void *IRC_RESTRICT v, bool is_codes, size_t v_stride, size_t count, const float *sums,
  size_t head_dim, size_t heads) {
  size_t size = is_codes ? 1 : 4, step = heads < IRC_TILE_HEADS ? heads : IRC_TILE_HEADS;
  for (size_t h = 0; h < heads; h += step) {
    const uint8_t *bytes = (const uint8_t *)v;
    float *to = y + h * head_dim;
    const float *w = weight + h * weight_stride;
    size_t i = 0;
    for (; i + IRC_TILE_VECTORS * IRC_LANES <= head_dim; i += IRC_TILE_VECTORS * IRC_LANES)
      irc_v_weigh(
        to + i, head_dim, w, weight_stride, bytes + i * size, is_codes, v_stride, count, sums + h,
        IRC_TILE_VECTORS, IRC_LANES, step);
    for (; i + IRC_LANES <= head_dim; i += IRC_LANES)
      irc_v_weigh(
        to + i, head_dim, w, weight_stride, bytes + i * size, is_codes, v_stride, count, sums + h,
        1, IRC_LANES, step);
    if (i < head_dim)
      irc_v_weigh(
        to + i, head_dim, w, weight_stride, bytes + i * size, is_codes, v_stride, count, sums + h,
        1, head_dim - i, step);
  }
}

// The largest of sixteen scores of several heads.
IRC_VECTOR void irc_v_largest_scores(float *largest, irc_v most, size_t heads) {
  float each[IRC_LANES];
  irc_v_store(each, most);
  for (size_t h = 0; h < heads; h++) {
    largest[h] = -INFINITY;
    for (size_t r = 0; r < IRC_LANES / heads; r++) {
      float score = each[h * (IRC_LANES / heads) + r];
      largest[h] = score > largest[h] ? score : largest[h];
    }
  }
}

// As irc_attend for several heads.
IRC_VECTOR void irc_v_attend(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, const float *IRC_RESTRICT k, size_t k_stride,
  const float *IRC_RESTRICT v, size_t v_stride, size_t count, size_t head_dim, float scale,
  float *IRC_RESTRICT weight, size_t weight_stride, size_t heads) {
  irc_v most = irc_v_set(-INFINITY), factor = irc_v_set(scale);
  float largest[4], sums[4];
  size_t j = 0;
  for (; j + IRC_LANES / heads <= count; j += IRC_LANES / heads) {
    irc_v score =
      irc_v_mul(irc_v_scores(k + j * k_stride, k_stride, q, head_dim, heads), factor);
    irc_v_place_scores(weight + j, weight_stride, score, heads);
    most = irc_v_max(score, most);
  }
  irc_v_largest_scores(largest, most, heads);
  for (; j < count; j++)
    for (size_t h = 0; h < heads; h++) {
      irc_v lane;
      irc_v_dots(&lane, 1, k + j * k_stride, k_stride, q + h * head_dim, head_dim, 1, 1);
      float score = irc_v_sum(lane) * scale;
      weight[h * weight_stride + j] = score;
      largest[h] = score > largest[h] ? score : largest[h];
    }
  for (size_t h = 0; h < heads; h++)
    sums[h] = irc_v_exp_weights(weight + h * weight_stride, count, largest[h]);
  irc_v_weigh_all(y, weight, weight_stride, v, false, v_stride, count, sums, head_dim, heads);
}

// Heads from `first` on that go together.
IRC_VECTOR size_t irc_v_heads_together(size_t first, size_t share) {
  size_t left = share - first % share;
  return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

IRC_KERNEL void IRC_OF_SET(attention_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride, const float *IRC_RESTRICT k,
  size_t k_stride, const float *IRC_RESTRICT v, size_t v_stride, size_t tokens, size_t total,
  size_t heads, size_t kv_heads, size_t head_dim, float scale, size_t window,
  float *IRC_RESTRICT scratch) {
  size_t share = heads / kv_heads;
  // Heads outside, so that the keys and values of some stay in the cache for all tokens.
  for (size_t h = 0, together; h < heads; h += together) {
    size_t column = h / share * head_dim;
    together = irc_v_heads_together(h, share);
    for (size_t t = 0; t < tokens; t++) {
      size_t end = total - tokens + t + 1;
      size_t start = window > 0 && end > window ? end - window : 0, count = end - start;
      float *to = y + (t * heads + h) * head_dim;
      const float *query = q + t * q_stride + h * head_dim;
      const float *keys = k + start * k_stride + column, *values = v + start * v_stride + column;
      if (together == 4)
        irc_v_attend(
          to, query, keys, k_stride, values, v_stride, count, head_dim, scale, scratch, total, 4);
      else if (together == 2)
        irc_v_attend(
          to, query, keys, k_stride, values, v_stride, count, head_dim, scale, scratch, total, 2);
      else
        irc_v_attend(
          to, query, keys, k_stride, values, v_stride, count, head_dim, scale, scratch, total, 1);
    }
  }
}

// As irc_attend_i8 for several heads; each has `q_stride` codes, zeros behind the head_dim first, and a
// factor.
IRC_VECTOR void irc_v_attend_i8(
  float *IRC_RESTRICT y, const int8_t *IRC_RESTRICT q, size_t q_stride, const float *factor,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t count, size_t head_dim, float *IRC_RESTRICT weight,
  size_t weight_stride, size_t heads) {
  size_t keys = IRC_LANES / heads, j = 0;
  float scales[IRC_LANES], largest[4], sums[4];
  for (size_t l = 0; l < IRC_LANES; l++) scales[l] = factor[l / keys];
  irc_v most = irc_v_set(-INFINITY), by = irc_v_load(scales);
  irc_v_code_sums totals = irc_v_sums_of_codes(q, q_stride, heads);
  for (; j + keys <= count; j += keys) {
    for (size_t l = 0; l < IRC_LANES; l++) scales[l] = k_scale[(j + l % keys) * scale_stride];
    irc_v dots = irc_v_dot_codes(k + j * k_stride, k_stride, q, q_stride, totals, head_dim, heads);
    irc_v score = irc_v_mul(irc_v_mul(dots, irc_v_load(scales)), by);
    irc_v_place_scores(weight + j, weight_stride, score, heads);
    most = irc_v_max(score, most);
  }
  irc_v_largest_scores(largest, most, heads);
  for (; j < count; j++)
    for (size_t h = 0; h < heads; h++) {
      int32_t sum = 0;
      for (size_t i = 0; i < head_dim; i++) sum += q[h * q_stride + i] * k[j * k_stride + i];
      float score = (float)sum * k_scale[j * scale_stride] * factor[h];
      weight[h * weight_stride + j] = score;
      largest[h] = score > largest[h] ? score : largest[h];
    }
  for (size_t h = 0; h < heads; h++)
    sums[h] = irc_v_exp_weights(weight + h * weight_stride, count, largest[h]);
  for (j = 0; j < count; j++)
    for (size_t h = 0; h < heads; h++) weight[h * weight_stride + j] *= v_scale[j * scale_stride];
  irc_v_weigh_all(y, weight, weight_stride, v, true, v_stride, count, sums, head_dim, heads);
}

IRC_KERNEL void IRC_OF_SET(attention_i8)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window, void *IRC_RESTRICT scratch) {
  size_t share = heads / kv_heads, padded = (head_dim + 63) / 64 * 64;
  float *weight = (float *)scratch;
  int8_t *codes = (int8_t *)(weight + irc_attention_scratch(total, heads, kv_heads));
  for (size_t h = 0, together; h < heads; h += together) {
    together = irc_v_heads_together(h, share);
    for (size_t t = 0; t < tokens; t++) {
      size_t end = total - tokens + t + 1, head = h / share;
      size_t start = window > 0 && end > window ? end - window : 0, count = end - start;
      float *to = y + (t * heads + h) * head_dim, factor[4];
      for (size_t i = 0; i < together; i++) {
        const float *query = q + t * q_stride + (h + i) * head_dim;
        irc_span span = irc_no_span();
        irc_v_widen(&span, query, head_dim, false);
        factor[i] =
          irc_v_quantize_token(codes + i * padded, padded, NULL, query, head_dim, 8, span) * scale;
      }
      const int8_t *keys = k + start * k_stride + head * head_dim;
      const int8_t *values = v + start * v_stride + head * head_dim;
      const float *scales = k_scale + start * scale_stride + head;
      const float *factors = v_scale + start * scale_stride + head;
      if (together == 4)
        irc_v_attend_i8(
          to, codes, padded, factor, keys, k_stride, scales, values, v_stride, factors,
          scale_stride, count, head_dim, weight, total, 4);
      else if (together == 2)
        irc_v_attend_i8(
          to, codes, padded, factor, keys, k_stride, scales, values, v_stride, factors,
          scale_stride, count, head_dim, weight, total, 2);
      else
        irc_v_attend_i8(
          to, codes, padded, factor, keys, k_stride, scales, values, v_stride, factors,
          scale_stride, count, head_dim, weight, total, 1);
    }
  }
}

// ---- Causal convolution -------------------------------------------------------------------------

// Vectors of channels, and taps, that are gathered at once.
enum { IRC_CONV_VECTORS = 4, IRC_CONV_TAPS = 8 };

// y += the taps first ..< first + taps of some vectors of channels, all tokens; y begins as the bias if
// `first` is 0. taps is (IRC_CONV_TAPS, IRC_CONV_VECTORS, IRC_LANES). The last vector has `some` lanes.
IRC_VECTOR void irc_v_conv(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride, const float *state,
  const float *IRC_RESTRICT gathered, const float *bias, size_t tokens, size_t channels,
  size_t width, size_t first, size_t taps, size_t vectors, size_t some) {
  for (size_t t = 0; t < tokens; t++, y += channels) {
    irc_v sum[IRC_CONV_VECTORS];
    IRC_UNROLL for (size_t i = 0; i < vectors; i++) {
      const float *from = first > 0 ? y : bias;
      bool is_short = i + 1 == vectors && some < IRC_LANES;
      sum[i] = !from      ? irc_v_set(0.0f)
               : is_short ? irc_v_load_some(from + i * IRC_LANES, some)
                          : irc_v_load(from + i * IRC_LANES);
    }
    for (size_t k = first; k < first + taps; k++) {
      // Input t - (width - 1) + k; negative ones are rows of the state.
      const float *source =
        t + k < width - 1 ? state + (t + k) * channels : x + (t + k + 1 - width) * x_stride;
      const float *tap = gathered + (k - first) * IRC_CONV_VECTORS * IRC_LANES;
      IRC_UNROLL for (size_t i = 0; i < vectors; i++) {
        bool is_short = i + 1 == vectors && some < IRC_LANES;
        irc_v in = is_short ? irc_v_load_some(source + i * IRC_LANES, some)
                            : irc_v_load(source + i * IRC_LANES);
        sum[i] = irc_v_add(sum[i], irc_v_mul(irc_v_load(tap + i * IRC_LANES), in));
      }
    }
    IRC_UNROLL for (size_t i = 0; i < vectors; i++)
      if (i + 1 == vectors && some < IRC_LANES)
        irc_v_store_some(y + i * IRC_LANES, sum[i], some);
      else
        irc_v_store(y + i * IRC_LANES, sum[i]);
  }
}

IRC_KERNEL void IRC_OF_SET(causal_conv_f32)(
  float *IRC_RESTRICT y, float *next_state, const float *IRC_RESTRICT x, size_t x_stride,
  const float *state, const float *IRC_RESTRICT weight, const float *bias, size_t tokens,
  size_t channels, size_t width) {
  enum { WIDE = IRC_CONV_VECTORS * IRC_LANES };
  for (size_t c = 0, count; c < channels; c += count) {
    count = channels - c;
    count = count >= WIDE ? WIDE : count >= IRC_LANES ? IRC_LANES : count;
    for (size_t first = 0, taps; first < width; first += taps) {
      float gathered[IRC_CONV_TAPS * WIDE];
      taps = width - first < IRC_CONV_TAPS ? width - first : IRC_CONV_TAPS;
      for (size_t k = 0; k < taps; k++) {
        for (size_t j = 0; j < count; j++)
          gathered[k * WIDE + j] = weight[(c + j) * width + first + k];
        for (size_t j = count; j < IRC_LANES; j++) gathered[k * WIDE + j] = 0;
      }
      const float *b = bias ? bias + c : NULL;
      if (count == WIDE)
        irc_v_conv(
          y + c, x + c, x_stride, state + c, gathered, b, tokens, channels, width, first, taps,
          IRC_CONV_VECTORS, IRC_LANES);
      else if (count == IRC_LANES)
        irc_v_conv(
          y + c, x + c, x_stride, state + c, gathered, b, tokens, channels, width, first, taps, 1,
          IRC_LANES);
      else
        irc_v_conv(
          y + c, x + c, x_stride, state + c, gathered, b, tokens, channels, width, first, taps, 1,
          count);
    }
  }
  irc_conv_state(next_state, x, x_stride, state, tokens, channels, width);
}

// ---- Selective scan -----------------------------------------------------------------------------

// One step of one channel, in lanes: (states) -> lanes. With `states` sixteen there is one vector.
IRC_VECTOR irc_v irc_v_scan_step(
  float *IRC_RESTRICT h, const float *IRC_RESTRICT a, const float *IRC_RESTRICT b,
  const float *IRC_RESTRICT c, float delta, float input, size_t states) {
  irc_v sum = irc_v_set(0.0f), step = irc_v_set(delta), in = irc_v_set(input);
  size_t n = 0;
  for (; n + IRC_LANES <= states; n += IRC_LANES) {
    irc_v kept = irc_v_mul(irc_v_exp(irc_v_mul(step, irc_v_load(a + n))), irc_v_load(h + n));
    irc_v next = irc_v_add(kept, irc_v_mul(in, irc_v_load(b + n)));
    irc_v_store(h + n, next);
    sum = irc_v_add(sum, irc_v_mul(irc_v_load(c + n), next));
  }
  if (n < states) {
    size_t some = states - n;
    irc_v kept = irc_v_mul(
      irc_v_exp(irc_v_mul(step, irc_v_load_some(a + n, some))), irc_v_load_some(h + n, some));
    irc_v next = irc_v_add(kept, irc_v_mul(in, irc_v_load_some(b + n, some)));
    irc_v_store_some(h + n, next, some);
    // Behind the end c is zero; a NaN of the others must not reach the lane either.
    sum = irc_v_add(sum, irc_v_mul(irc_v_load_some(c + n, some), irc_v_first(next, some)));
  }
  return sum;
}

// Up to sixteen channels, all tokens: their states stay in the first-level cache.
IRC_VECTOR void irc_v_scan(
  float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u, size_t u_stride,
  const float *IRC_RESTRICT delta, size_t delta_stride, const float *IRC_RESTRICT a,
  const float *IRC_RESTRICT b, size_t b_stride, const float *IRC_RESTRICT c, size_t c_stride,
  const float *IRC_RESTRICT d, size_t tokens, size_t channels, size_t states, size_t count) {
  irc_v skip = irc_v_load_some(d, count);
  for (size_t t = 0; t < tokens; t++) {
    irc_v in = irc_v_load_some(u + t * u_stride, count);
    irc_v step = irc_v_load_some(delta + t * delta_stride, count);
    float steps[IRC_LANES], inputs[IRC_LANES];
    irc_v lanes[IRC_LANES];
    irc_v_store(steps, step);
    irc_v_store(inputs, irc_v_mul(step, in));
    for (size_t e = 0; e < count; e++)
      lanes[e] = irc_v_scan_step(
        h + e * states, a + e * states, b + t * b_stride, c + t * c_stride, steps[e], inputs[e],
        states);
    for (size_t e = count; e < IRC_LANES; e++) lanes[e] = irc_v_set(0.0f);
    irc_v_store_some(
      y + t * channels, irc_v_add(irc_v_sums(lanes), irc_v_mul(skip, in)), count);
  }
}

IRC_KERNEL void IRC_OF_SET(selective_scan_f32)(
  float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u, size_t u_stride,
  const float *IRC_RESTRICT delta, size_t delta_stride, const float *IRC_RESTRICT a,
  const float *IRC_RESTRICT b, size_t b_stride, const float *IRC_RESTRICT c, size_t c_stride,
  const float *IRC_RESTRICT d, size_t tokens, size_t channels, size_t states) {
  for (size_t e = 0; e < channels; e += IRC_LANES) {
    size_t count = channels - e < IRC_LANES ? channels - e : IRC_LANES;
    float *state = h + e * states;
    const float *decay = a + e * states;
    if (states == IRC_LANES)
      irc_v_scan(
        y + e, state, u + e, u_stride, delta + e, delta_stride, decay, b, b_stride, c, c_stride,
        d + e, tokens, channels, IRC_LANES, count);
    else
      irc_v_scan(
        y + e, state, u + e, u_stride, delta + e, delta_stride, decay, b, b_stride, c, c_stride,
        d + e, tokens, channels, states, count);
  }
}
