// What looks at more than one token: rotary positions, attention, causal convolution, selective
// scan.
#include <math.h>

#include "kernels_common.h"

void IRC_NAME(rope_f32)(
  float *y, const float *x, size_t x_stride, const int32_t *positions,
  const double *inverse_frequency, size_t tokens, size_t heads, size_t head_dim) {
  size_t half = head_dim / 2;
  for (size_t t = 0; t < tokens; t++, x += x_stride, y += heads * head_dim)
    for (size_t i = 0; i < half; i++) {
      double angle = (double)positions[t] * inverse_frequency[i];
      float c = (float)cos(angle), s = (float)sin(angle);
      for (size_t at = i; at < heads * head_dim; at += head_dim) {
        float first = x[at], second = x[at + half];
        y[at] = first * c - second * s;
        y[at + half] = second * c + first * s;
      }
    }
}

// weight = exp(weight - most), and the sum of that: (count) -> scalar
IRC_INLINE float irc_exp_weights(float *IRC_RESTRICT weight, size_t count, float most) {
  float lane[IRC_LANES] = {0};
  size_t j = 0;
  for (; j + IRC_LANES <= count; j += IRC_LANES)
    for (size_t l = 0; l < IRC_LANES; l++) {
      weight[j + l] = irc_exp(weight[j + l] - most);
      lane[l] += weight[j + l];
    }
  for (size_t l = 0; j + l < count; l++) {
    weight[j + l] = irc_exp(weight[j + l] - most);
    lane[l] += weight[j + l];
  }
  return irc_sum_lanes(lane);
}

// One head of one query over `count` keys: softmax(q @ k^T * scale) @ v.
// (head_dim) @ (count, head_dim)^T -> (count) -> (head_dim)
IRC_INLINE void irc_attend(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, const float *IRC_RESTRICT k, size_t k_stride,
  const float *IRC_RESTRICT v, size_t v_stride, size_t count, size_t head_dim, float scale,
  float *IRC_RESTRICT weight) {
  size_t j = 0;
  for (; j + 4 <= count; j += 4) irc_dot4(weight + j, k + j * k_stride, k_stride, q, head_dim);
  for (; j < count; j++) weight[j] = irc_dot(k + j * k_stride, q, head_dim);

  float most = -INFINITY;
  for (j = 0; j < count; j++) {
    weight[j] *= scale;
    most = weight[j] > most ? weight[j] : most;
  }
  float sum = irc_exp_weights(weight, count, most);

  for (size_t i = 0; i < head_dim; i++) y[i] = 0;
  for (j = 0; j < count; j++)
    for (size_t i = 0; i < head_dim; i++) y[i] += weight[j] * v[j * v_stride + i];
  for (size_t i = 0; i < head_dim; i++) y[i] /= sum;
}

IRC_CLONES void IRC_NAME(attention_f32)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride, const float *IRC_RESTRICT k,
  size_t k_stride, const float *IRC_RESTRICT v, size_t v_stride, size_t tokens, size_t total,
  size_t heads, size_t kv_heads, size_t head_dim, float scale, size_t window,
  float *IRC_RESTRICT scratch) {
  size_t share = heads / kv_heads;
  for (size_t t = 0; t < tokens; t++) {
    size_t end = total - tokens + t + 1;
    size_t start = window > 0 && end > window ? end - window : 0;
    for (size_t h = 0; h < heads; h++) {
      size_t column = h / share * head_dim;
      irc_attend(
        y + (t * heads + h) * head_dim, q + t * q_stride + h * head_dim,
        k + start * k_stride + column, k_stride, v + start * v_stride + column, v_stride,
        end - start, head_dim, scale, scratch);
    }
  }
}

// One head of one query over a cache of codes, as attention_i8 says; `q` are codes with the scale
// factor / scale.
IRC_INLINE void irc_attend_i8(
  float *IRC_RESTRICT y, const int8_t *IRC_RESTRICT q, float factor, const int8_t *IRC_RESTRICT k,
  size_t k_stride, const float *IRC_RESTRICT k_scale, const int8_t *IRC_RESTRICT v,
  size_t v_stride, const float *IRC_RESTRICT v_scale, size_t scale_stride, size_t count,
  size_t head_dim, float *IRC_RESTRICT weight) {
  float most = -INFINITY;
  for (size_t j = 0; j < count; j++) {
    int32_t sum = 0;
    for (size_t i = 0; i < head_dim; i++) sum += q[i] * k[j * k_stride + i];
    weight[j] = (float)sum * k_scale[j * scale_stride] * factor;
    most = weight[j] > most ? weight[j] : most;
  }
  float sum = irc_exp_weights(weight, count, most);
  for (size_t i = 0; i < head_dim; i++) y[i] = 0;
  for (size_t j = 0; j < count; j++) {
    float scaled = weight[j] * v_scale[j * scale_stride];
    for (size_t i = 0; i < head_dim; i++) y[i] += scaled * (float)v[j * v_stride + i];
  }
  for (size_t i = 0; i < head_dim; i++) y[i] /= sum;
}

IRC_CLONES void IRC_NAME(attention_i8)(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT q, size_t q_stride,
  const int8_t *IRC_RESTRICT k, size_t k_stride, const float *IRC_RESTRICT k_scale,
  const int8_t *IRC_RESTRICT v, size_t v_stride, const float *IRC_RESTRICT v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window, void *IRC_RESTRICT scratch) {
  float *weight = (float *)scratch;
  int8_t *codes = (int8_t *)(weight + total);
  size_t share = heads / kv_heads;
  for (size_t h = 0; h < heads; h++)
    for (size_t t = 0; t < tokens; t++) {
      size_t end = total - tokens + t + 1, head = h / share;
      size_t start = window > 0 && end > window ? end - window : 0;
      const float *query = q + t * q_stride + h * head_dim;
      irc_span span = irc_no_span();
      irc_widen(&span, query, head_dim, false);
      float made = irc_quantize_token(codes, head_dim, NULL, query, head_dim, 8, span);
      irc_attend_i8(
        y + (t * heads + h) * head_dim, codes, made * scale,
        k + start * k_stride + head * head_dim, k_stride, k_scale + start * scale_stride + head,
        v + start * v_stride + head * head_dim, v_stride, v_scale + start * scale_stride + head,
        scale_stride, end - start, head_dim, weight);
    }
}

// `lanes` channels from `first` on (16, or fewer at the end), all tokens.
IRC_INLINE void irc_conv_channels(
  float *IRC_RESTRICT y, const float *IRC_RESTRICT x, size_t x_stride,
  const float *IRC_RESTRICT state, const float *IRC_RESTRICT weight, const float *bias,
  size_t tokens, size_t channels, size_t width, size_t first, size_t lanes) {
  for (size_t t = 0; t < tokens; t++)
    for (size_t j = 0; j < lanes; j++) y[t * channels + first + j] = bias ? bias[first + j] : 0.0f;
  for (size_t k = 0; k < width; k++) {
    float tap[IRC_LANES];
    for (size_t j = 0; j < lanes; j++) tap[j] = weight[(first + j) * width + k];
    for (size_t t = 0; t < tokens; t++) {
      // Input t - (width - 1) + k; negative ones are rows of the state.
      const float *source =
        t + k < width - 1 ? state + (t + k) * channels : x + (t + k + 1 - width) * x_stride;
      for (size_t j = 0; j < lanes; j++) y[t * channels + first + j] += tap[j] * source[first + j];
    }
  }
}

IRC_CLONES void IRC_NAME(causal_conv_f32)(
  float *IRC_RESTRICT y, float *next_state, const float *IRC_RESTRICT x, size_t x_stride,
  const float *state, const float *IRC_RESTRICT weight, const float *bias, size_t tokens,
  size_t channels, size_t width) {
  size_t c = 0;
  for (; c + IRC_LANES <= channels; c += IRC_LANES)
    irc_conv_channels(
      y, x, x_stride, state, weight, bias, tokens, channels, width, c, IRC_LANES);
  if (c < channels)
    irc_conv_channels(
      y, x, x_stride, state, weight, bias, tokens, channels, width, c, channels - c);
  irc_conv_state(next_state, x, x_stride, state, tokens, channels, width);
}

// One step of one channel: (states) -> scalar
IRC_INLINE float irc_scan_step(
  float *IRC_RESTRICT h, const float *IRC_RESTRICT a, const float *IRC_RESTRICT b,
  const float *IRC_RESTRICT c, float delta, float input, size_t states) {
  float lane[IRC_LANES] = {0};
  size_t n = 0;
  for (; n + IRC_LANES <= states; n += IRC_LANES)
    for (size_t j = 0; j < IRC_LANES; j++) {
      h[n + j] = irc_exp(delta * a[n + j]) * h[n + j] + input * b[n + j];
      lane[j] += c[n + j] * h[n + j];
    }
  for (size_t j = 0; n + j < states; j++) {
    h[n + j] = irc_exp(delta * a[n + j]) * h[n + j] + input * b[n + j];
    lane[j] += c[n + j] * h[n + j];
  }
  return irc_sum_lanes(lane);
}

IRC_CLONES void IRC_NAME(selective_scan_f32)(
  float *IRC_RESTRICT y, float *IRC_RESTRICT h, const float *IRC_RESTRICT u, size_t u_stride,
  const float *IRC_RESTRICT delta, size_t delta_stride, const float *IRC_RESTRICT a,
  const float *IRC_RESTRICT b, size_t b_stride, const float *IRC_RESTRICT c, size_t c_stride,
  const float *IRC_RESTRICT d, size_t tokens, size_t channels, size_t states) {
  for (size_t t = 0; t < tokens; t++)
    for (size_t e = 0; e < channels; e++) {
      float step = delta[t * delta_stride + e], in = u[t * u_stride + e];
      float sum = irc_scan_step(
        h + e * states, a + e * states, b + t * b_stride, c + t * c_stride,
        step, step * in, states);
      y[t * channels + e] = sum + d[e] * in;
    }
}
