// The reference kernels. They share no helper with the portable ones, so that a mistake in one
// shows.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include "irc_reference.h"

#include <float.h>
#include <math.h>

int32_t IRC_NAME(code_at_ref)(const void *row, size_t i, uint32_t bits) {
  const uint8_t *block = (const uint8_t *)row + i / 32 * (4 * bits);
  size_t at = i % 32;
  int32_t raw;
  switch (bits) {
    case 8:
      raw = block[at];
      break;
    default: {
      // Planes of four, two and one bits, from the low bits to the high ones.
      uint32_t low = bits & 4;
      raw = low ? (at < 16 ? block[at] % 16 : block[at - 16] / 16) : 0;
      block += low ? 16 : 0;
      if (bits & 2) raw += (block[at % 8] >> (2 * (at / 8)) & 3) << low;
      block += bits & 2 ? 8 : 0;
      if (bits & 1) raw += (block[at / 8] >> at % 8 & 1) << (bits - 1);
      break;
    }
  }
  return raw < 1 << (bits - 1) ? raw : raw - (1 << bits);
}

float IRC_NAME(f16_value_ref)(uint16_t half) {
  int sign = half >> 15 ? -1 : 1, exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 31) return mantissa ? NAN : (float)sign * INFINITY;
  if (exponent == 0) return (float)sign * ldexpf((float)mantissa, -24);
  return (float)sign * ldexpf((float)(1024 + mantissa), exponent - 25);
}

static float scale_at(const irc_packed_weights *w, size_t index) {
  const uint8_t *bytes = (const uint8_t *)w->scales;
  switch (w->scale_type) {
    case IRC_SCALE_F16:
      return IRC_NAME(f16_value_ref)(((const uint16_t *)w->scales)[index]);
    case IRC_SCALE_E8M0:
      return bytes[index] == 255 ? NAN : ldexpf(1, bytes[index] - 127);
    case IRC_SCALE_E4M3: {
      int exponent = bytes[index] >> 3 & 15, mantissa = bytes[index] & 7;
      float value = exponent ? ldexpf((float)(8 + mantissa), exponent - 10)
                             : ldexpf((float)mantissa, -9);
      return (exponent == 15 && mantissa == 7 ? NAN : value) * w->tensor_scale[0];
    }
    default:
      return ((const float *)w->scales)[index];
  }
}

// The number of a group's scale and zero point.
static size_t group_of(const irc_packed_weights *w, size_t row, size_t column) {
  size_t g = column / w->group;
  return w->layout == IRC_LAYOUT_PANELS ? (row / 16 * w->groups + g) * 16 + row % 16
                                        : row * w->groups + g;
}

static float scale_of(const irc_packed_weights *w, size_t row, size_t column) {
  return scale_at(w, group_of(w, row, column));
}

// The code at (row, column) of panels, bit by bit.
static int32_t code_in_panels(const irc_packed_weights *w, size_t row, size_t column) {
  const uint8_t *block = (const uint8_t *)w->codes + row / 16 * 16 * w->row_bytes
    + column / 32 * 64 * w->bits;
  size_t step = column % 32 / 4, at = 4 * (row % 16) + column % 4;
  int32_t raw = 0;
  uint32_t done = 0;
  for (uint32_t plane = 8; plane > 0; plane /= 2) {
    if (!(w->bits & plane)) continue;
    size_t steps = 8 / plane;  // in one vector
    int32_t part = block[step / steps * 64 + at] >> (plane * (step % steps)) & ((1 << plane) - 1);
    raw += part << done;
    done += plane;
    block += 64 * plane;
  }
  if (!w->values && !w->levels) return raw - (1 << (w->bits - 1));
  return raw < 1 << (w->bits - 1) ? raw : raw - (1 << w->bits);
}

static int32_t code_of(const irc_packed_weights *w, size_t row, size_t column) {
  if (w->layout == IRC_LAYOUT_PANELS) return code_in_panels(w, row, column);
  return IRC_NAME(code_at_ref)((const uint8_t *)w->codes + row * w->row_bytes, column, w->bits);
}

// The integer that the code at (row, column) stands for in the integer product.
static int32_t centred(const irc_packed_weights *w, size_t row, size_t column) {
  int32_t code = code_of(w, row, column);
  if (w->levels) return w->levels[code < 0 ? code + (1 << w->bits) : code];
  return code - (w->zeros ? w->zeros[group_of(w, row, column)] : 0);
}

void IRC_NAME(linear_q_i8_ref)(
  float *y, size_t y_stride, const int8_t *x, size_t x_stride, const float *x_scale,
  const int32_t *x_zero, size_t x_scale_stride, const irc_packed_weights *w, const float *bias,
  size_t tokens) {
  for (size_t t = 0; t < tokens; t++)
    for (size_t o = 0; o < w->out; o++) {
      float acc = 0;
      int64_t sum = 0;
      for (size_t i = 0; i < w->in; i++) {
        int32_t zero = x_zero ? x_zero[t * x_scale_stride] : 0;
        sum += centred(w, o, i) * (x[t * x_stride + i] - zero);
        if (i + 1 == w->in || (i + 1) % w->group == 0) {
          float scale = scale_of(w, o, i);
          if (w->levels) scale *= w->level_step;
          acc = acc + (float)sum * scale;
          sum = 0;
        }
      }
      y[t * y_stride + o] = acc * x_scale[t * x_scale_stride];
      if (bias) y[t * y_stride + o] += bias[o];
    }
}

static float clamped(float value, int32_t low, int32_t high) {
  return value < (float)low ? (float)low : value > (float)high ? (float)high : value;
}

void IRC_NAME(quantize_static_i8_ref)(
  int8_t *codes, size_t code_stride, const float *x, size_t x_stride, size_t tokens, size_t n,
  float scale, int32_t zero, int32_t low, int32_t high) {
  float r = 1.0f / scale;
  for (size_t t = 0; t < tokens; t++)
    for (size_t i = 0; i < code_stride; i++) {
      float product = i < n && isfinite(r) ? x[t * x_stride + i] * r : 0;
      float rounded = isnan(product) ? 0 : rintf(product);
      codes[t * code_stride + i] = i < n ? (int8_t)clamped(rounded + (float)zero, low, high) : 0;
    }
}

void IRC_NAME(quantize_tokens_i8_ref)(
  int8_t *codes, size_t code_stride, float *scale, int32_t *zero, const float *x, size_t x_stride,
  size_t tokens, size_t n, uint32_t bits) {
  int32_t high = (1 << (bits - 1)) - 1;
  int32_t low = !zero && bits == 8 ? -127 : -high - 1;
  for (size_t t = 0; t < tokens; t++) {
    const float *row = x + t * x_stride;
    float least = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
      least = fminf(least, row[i]);
      most = fmaxf(most, row[i]);
    }
    float s;
    if (zero)
      s = (most - least) / (float)((1 << bits) - 1);
    else
      s = fmaxf(-least, most) / (bits == 8 ? 127.0f : (float)(high + 1) - 0.5f);
    if (!isfinite(1.0f / s)) s = 0;
    int32_t z = 0;
    if (zero && s > 0 && isfinite(s))
      z = (int32_t)clamped(rintf((float)low - least / s), low, high);
    if (zero) zero[t] = z;
    scale[t] = s;
    IRC_NAME(quantize_static_i8_ref)(
      codes + t * code_stride, code_stride, row, n, 1, n, s, z, low, high);
  }
}

void IRC_NAME(attention_i8_ref)(
  float *y, const float *q, size_t q_stride, const int8_t *k, size_t k_stride,
  const float *k_scale, const int8_t *v, size_t v_stride, const float *v_scale,
  size_t scale_stride, size_t tokens, size_t total, size_t heads, size_t kv_heads,
  size_t head_dim, float scale, size_t window, void *scratch) {
  float *weight = (float *)scratch;
  int8_t *codes = (int8_t *)(weight + total);
  for (size_t t = 0; t < tokens; t++)
    for (size_t h = 0; h < heads; h++) {
      size_t end = total - tokens + t + 1, head = h / (heads / kv_heads), column = head * head_dim;
      size_t start = window > 0 && end > window ? end - window : 0;
      float made, most = -INFINITY, lane[16] = {0};
      IRC_NAME(quantize_tokens_i8_ref)(
        codes, head_dim, &made, NULL, q + t * q_stride + h * head_dim, head_dim, 1, head_dim, 8);
      float factor = made * scale;
      for (size_t j = start; j < end; j++) {
        int64_t sum = 0;
        for (size_t i = 0; i < head_dim; i++) sum += codes[i] * k[j * k_stride + column + i];
        float score = (float)sum * k_scale[j * scale_stride + head];
        weight[j - start] = score * factor;
        if (weight[j - start] > most) most = weight[j - start];
      }
      for (size_t j = start; j < end; j++) {
        float e = weight[j - start] - most;
        IRC_NAME(exp_f32)(&e, &e, 1);
        weight[j - start] = e;
        lane[(j - start) % 16] += e;
      }
      for (int step = 8; step > 0; step /= 2)
        for (int l = 0; l < step; l++) lane[l] += lane[l + step];
      for (size_t i = 0; i < head_dim; i++) {
        float sum = 0;
        for (size_t j = start; j < end; j++) {
          float scaled = weight[j - start] * v_scale[j * scale_stride + head];
          sum += scaled * (float)v[j * v_stride + column + i];
        }
        y[(t * heads + h) * head_dim + i] = sum / lane[0];
      }
    }
}

// The weight at (row, column) as a float; `source` is what `value` knows how to read.
typedef float (*weight_value)(const void *source, size_t in, size_t row, size_t column);

static float value_f32(const void *source, size_t in, size_t row, size_t column) {
  return ((const float *)source)[row * in + column];
}

static float value_f16(const void *source, size_t in, size_t row, size_t column) {
  return IRC_NAME(f16_value_ref)(((const uint16_t *)source)[row * in + column]);
}

static float value_q(const void *source, size_t in, size_t row, size_t column) {
  const irc_packed_weights *w = (const irc_packed_weights *)source;
  (void)in;
  if (w->kind != IRC_CODES_SCALED) {
    int32_t signed_code = IRC_NAME(code_at_ref)(
      (const uint8_t *)w->codes + row * w->row_bytes, column, w->bits);
    uint32_t code = (uint32_t)signed_code % (1u << w->bits);
    size_t group = row * w->groups + column / w->group;
    if (w->kind == IRC_CODES_LISTED) return scale_at(w, group * (1u << w->bits) + code);
    size_t first = group * (w->kind == IRC_CODES_OFFSET ? w->bits + 1 : w->bits);
    float value = w->kind == IRC_CODES_OFFSET ? scale_at(w, first + w->bits) : 0;
    for (uint32_t k = 0; k < w->bits; k++)
      value += (code >> k) % 2 ? scale_at(w, first + k) : -scale_at(w, first + k);
    return value;
  }
  if (w->values) {
    int32_t code = code_of(w, row, column);
    return w->values[code < 0 ? code + (1 << w->bits) : code] * scale_of(w, row, column);
  }
  return (float)centred(w, row, column) * scale_of(w, row, column);
}

static void linear_ref(
  float *y, size_t y_stride, const float *x, size_t x_stride, const void *w, weight_value value,
  const float *bias, size_t tokens, size_t in, size_t out) {
  for (size_t t = 0; t < tokens; t++)
    for (size_t o = 0; o < out; o++) {
      float lane[16] = {0};
      for (size_t i = 0; i < in; i++) lane[i % 16] += value(w, in, o, i) * x[t * x_stride + i];
      for (int step = 8; step > 0; step /= 2)
        for (int j = 0; j < step; j++) lane[j] += lane[j + step];
      y[t * y_stride + o] = bias ? lane[0] + bias[o] : lane[0];
    }
}

void IRC_NAME(linear_f32_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const float *w, const float *bias,
  size_t tokens, size_t in, size_t out) {
  linear_ref(y, y_stride, x, x_stride, w, value_f32, bias, tokens, in, out);
}

void IRC_NAME(linear_f16_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const uint16_t *w, const float *bias,
  size_t tokens, size_t in, size_t out) {
  linear_ref(y, y_stride, x, x_stride, w, value_f16, bias, tokens, in, out);
}

void IRC_NAME(linear_q_f32_ref)(
  float *y, size_t y_stride, const float *x, size_t x_stride, const irc_packed_weights *w,
  const float *bias, size_t tokens) {
  linear_ref(y, y_stride, x, x_stride, w, value_q, bias, tokens, w->in, w->out);
}
