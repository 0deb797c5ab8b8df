// Times an emitted library: tokens of a prompt at once, then one after the other.
//   driver WEIGHTS THREADS PROMPT STEPS -> the seconds of the prompt and of the steps, in JSON
// Compiled with -DMODEL=name -DMODEL_HEADER='"name.h"'.
#define _POSIX_C_SOURCE 200809L
#include MODEL_HEADER

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(name) JOIN(MODEL, name)

// Of one thread what the processor gave it, so that other programs on its core do not count; of several the time on the wall.
static double seconds(size_t threads) {
  struct timespec now;
  clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int32_t likeliest(const float *logits) {
  int32_t best = 0;
  for (int32_t i = 1; i < (int32_t)CALL(vocabulary)(); i++)
    if (logits[i] > logits[best]) best = i;
  return best;
}

static void check(int status, const char *what) {
  if (status == 0) return;
  fprintf(stderr, "%s failed with status %d\n", what, status);
  exit(1);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  const size_t threads = strtoul(arguments[2], NULL, 10), prompt = strtoul(arguments[3], NULL, 10);
  const size_t steps = strtoul(arguments[4], NULL, 10);
  const size_t bytes = (CALL(context_bytes)(prompt + steps) + 63) / 64 * 64;
  void *memory = aligned_alloc(64, bytes);
  int32_t *tokens = malloc(prompt * sizeof *tokens);
  CALL(context) *context;
  if (!memory || !tokens) return 1;
  check((int)CALL(create)(&context, memory, bytes, prompt + steps, arguments[1]), "create");
  check((int)CALL(set_threads)(context, threads), "set_threads");
  for (size_t i = 0; i < prompt; i++)
    tokens[i] = (int32_t)((i * 7919 + 13) % CALL(vocabulary)());
  const float *logits = NULL;
  // Once before, so that the weights are in memory.
  check((int)CALL(prefill)(context, tokens, prompt, &logits), "prefill");
  CALL(reset)(context);
  double start = seconds(threads);
  check((int)CALL(prefill)(context, tokens, prompt, &logits), "prefill");
  double between = seconds(threads);
  for (size_t i = 0; i < steps; i++)
    check((int)CALL(step)(context, likeliest(logits), &logits), "step");
  double end = seconds(threads);
  printf(
    "{\"kernels\": \"%s\", \"prefill\": %.9f, \"decode\": %.9f, \"last\": %d}\n", CALL(kernels)(),
    between - start, end - between, (int)likeliest(logits));
  CALL(destroy)(context);
  free(tokens);
  free(memory);
  return 0;
}
