/* Rounds the weights of a row one after another, so that each makes up for the errors of those before it.

   A layer y = W x that is rounded to Q is off by e x with e = W - Q, which is e H e in the mean of the squares, H being the mean of
   x[i] x[j] over the calibration text. Rounding to nearest makes each e[j] small by itself. Here weight j is moved by
   sum e[i] H[i][j] / H[j][j] over all i before j, at most `feedback` steps of its scale, and then rounded: as in error diffusion of
   pictures (Floyd and Steinberg 1976), where H stands in for the neighbourhood of a dot. Unlike GPTQ no weight that is still to come is
   changed, so nothing has to be inverted. With `noise` codes are also drawn at random. */
#include <irc_plugin.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char description[] =
    "{\n"
    "  \"name\": \"error-diffusion\",\n"
    "  \"summary\": \"Round weights one after another, so that each makes up for earlier errors.\",\n"
    "  \"paper\": \"Floyd and Steinberg, An adaptive algorithm for spatial greyscale (1976)\",\n"
    "  \"options\": [\n"
    "    {\"key\": \"include\", \"type\": \"patterns\", \"default\": [\"*\"],\n"
    "     \"help\": \"Weights to round, by the names of their tensors.\"},\n"
    "    {\"key\": \"feedback\", \"type\": \"number\", \"default\": 1, \"minimum\": 0, \"maximum\": 8,\n"
    "     \"help\": \"Steps of its scale that a weight may be moved by earlier errors.\"},\n"
    "    {\"key\": \"noise\", \"type\": \"number\", \"default\": 0, \"minimum\": 0, \"maximum\": 1,\n"
    "     \"help\": \"Width of the random numbers, in steps, that are added before rounding.\"},\n"
    "    {\"key\": \"seed\", \"type\": \"integer\", \"default\": 1, \"minimum\": 0,\n"
    "     \"help\": \"Start of the random numbers.\"}\n"
    "  ],\n"
    "  \"requires\": [\"quantized\"],\n"
    "  \"conflicts\": [{\"fact\": \"codes-solved\", \"reason\": \"would find nothing left to round\"}],\n"
    "  \"establishes\": [\"codes-solved\"],\n"
    "  \"preserves_function\": false,\n"
    "  \"calibration\": [\"second-moment\"],\n"
    "  \"only_rounds\": true,\n"
    "  \"counters\": [{\"name\": \"rounded\", \"help\": \"Weights that were rounded.\"},\n"
    "                {\"name\": \"skipped\", \"help\": \"Weights of formats that are no integers.\"}],\n"
    "  \"remarks\": [{\"name\": \"solved\", \"outcome\": \"passed\", \"help\": \"A weight was rounded.\"},\n"
    "               {\"name\": \"skipped\", \"outcome\": \"missed\", \"help\": \"A weight was left alone.\"}]\n"
    "}\n";

/* A random number from -1/2 to 1/2, from a counter alone (splitmix64), so that the order of work does not matter. */
static double random_number(uint64_t counter) {
  uint64_t z = counter * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return (double)(z >> 11) * 0x1p-53 - 0.5;
}

typedef struct {
  double feedback, noise;
  uint64_t seed;
} settings;

/* The buffers of one weight; freed together. */
typedef struct {
  float *elements, *scales;
  int8_t *codes, *zeros;
  double *errors; /* of a row: so, to nearest, and the row itself */
} buffers;

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* What is summed up over all rows: mean squares of what the outputs are off by, and of the outputs. */
typedef struct {
  double error, nearest_error, output;
} sums;

static double dot(const double *a, const double *b, size_t count) {
  double sum = 0;
  for (size_t index = 0; index < count; index++) sum += a[index] * b[index];
  return sum;
}

static void round_rows(
    const irc_weight *weight, const double *moment, const settings *settings, const buffers *b,
    sums *sums) {
  const size_t columns = weight->columns;
  double *const error = b->errors, *const nearest_error = error + columns, *const w = error + 2 * columns;
  for (size_t row = 0; row < weight->rows; row++) {
    for (size_t column = 0; column < columns; column++) {
      const size_t place = row * columns + column;
      const size_t group = weight->scale_rows == 1
                               ? column / weight->group
                               : row * weight->scale_columns + column / weight->group;
      const double scale = b->scales[group];
      const double zero = weight->has_zeros ? b->zeros[group] : 0;
      const double low = weight->lowest_code, high = weight->highest_code;
      const double *const h = moment + column * columns;
      /* What the columns so far are off by, as this one sees it. */
      const double seen = dot(h, error, column), nearest_seen = dot(h, nearest_error, column);
      w[column] = b->elements[place];
      double code = zero, nearest = zero;
      if (scale > 0) {
        double move = h[column] > 0 ? clamp(seen / h[column] / scale, -settings->feedback, settings->feedback) : 0;
        if (settings->noise > 0) move += settings->noise * random_number(settings->seed + place);
        code = clamp(nearbyint(w[column] / scale + move) + zero, low, high);
        nearest = clamp(nearbyint(w[column] / scale) + zero, low, high);
      }
      b->codes[place] = (int8_t)code;
      error[column] = w[column] - (code - zero) * scale;
      nearest_error[column] = w[column] - (nearest - zero) * scale;
      sums->error += error[column] * (2 * seen + h[column] * error[column]);
      sums->nearest_error += nearest_error[column] * (2 * nearest_seen + h[column] * nearest_error[column]);
      sums->output += w[column] * (2 * dot(h, w, column) + h[column] * w[column]);
    }
  }
}

static double relative(double error, double output) {
  return output > 0 ? sqrt(fmax(error, 0) / output) : 0;
}

static int32_t round_weight(
    const irc_host *host, irc_call *call, size_t index, const irc_weight *weight,
    const settings *settings, const buffers *b) {
  const size_t count = weight->rows * weight->columns;
  const size_t scale_count = weight->scale_rows * weight->scale_columns;
  irc_statistics statistics = {.struct_size = sizeof statistics};
  if (host->read_weight(call, index, b->elements, count) != IRC_OK) return IRC_FAILED;
  if (host->read_scales(call, index, b->scales, b->zeros, scale_count) != IRC_OK) return IRC_FAILED;
  if (host->weight_statistics(call, index, &statistics) != IRC_OK) return IRC_FAILED;
  if (statistics.second_moment == NULL) return host->fail(call, "there is no second moment", NULL);
  sums sums = {0, 0, 0};
  round_rows(weight, statistics.second_moment, settings, b, &sums);
  if (host->attach_codes(call, index, b->codes, count, NULL, NULL, 0) != IRC_OK) return IRC_FAILED;
  char message[400];
  snprintf(
      message, sizeof message, "'%.200s': relative error of outputs %.4f, and %.4f if rounded to nearest",
      weight->name, relative(sums.error, sums.output), relative(sums.nearest_error, sums.output));
  if (host->remark(call, "solved", message, NULL) != IRC_OK) return IRC_FAILED;
  return host->count(call, "rounded", 1);
}

static int32_t run(const irc_host *host, irc_call *call) {
  settings settings;
  int64_t seed = 0;
  size_t count = 0;
  if (host->number(call, "feedback", &settings.feedback) != IRC_OK) return IRC_FAILED;
  if (host->number(call, "noise", &settings.noise) != IRC_OK) return IRC_FAILED;
  if (host->integer(call, "seed", &seed) != IRC_OK) return IRC_FAILED;
  settings.seed = (uint64_t)seed << 32;
  if (host->find_weights(call, "include", &count) != IRC_OK) return IRC_FAILED;
  for (size_t index = 0; index < count; index++) {
    irc_weight weight = {.struct_size = sizeof weight};
    if (host->weight(call, index, &weight) != IRC_OK) return IRC_FAILED;
    if (weight.values != NULL || weight.numbers != 1) {
      if (host->count(call, "skipped", 1) != IRC_OK) return IRC_FAILED;
      if (host->remark(call, "skipped", weight.name, "give it an integer format") != IRC_OK) return IRC_FAILED;
      continue;
    }
    const size_t elements = weight.rows * weight.columns;
    const size_t scales = weight.scale_rows * weight.scale_columns;
    const buffers b = {
        malloc(elements * sizeof(float)), malloc(scales * sizeof(float)), malloc(elements), malloc(scales),
        malloc(3 * weight.columns * sizeof(double))};
    int32_t status = IRC_FAILED;
    if (b.elements == NULL || b.scales == NULL || b.codes == NULL || b.zeros == NULL ||
        b.errors == NULL) {
      status = host->fail(call, "there is not enough memory", NULL);
    } else {
      status = round_weight(host, call, index, &weight, &settings, &b);
    }
    free(b.elements);
    free(b.scales);
    free(b.codes);
    free(b.zeros);
    free(b.errors);
    if (status != IRC_OK) return status;
  }
  return IRC_OK;
}

static const irc_pass error_diffusion = {IRC_PASS_HEAD, description, NULL, run};

IRC_C_PLUGIN(&error_diffusion)
