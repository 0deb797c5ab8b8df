// Continues a sequence of token ids with the compiled example model, always taking the likeliest token.
//
//   cc -O3 -std=c11 -I../novels-mamba/build/novels-mamba generate.c ../novels-mamba/build/novels-mamba/*.c -lm -o generate
//   ./generate ../novels-mamba/build/novels-mamba/novels-mamba.weights 669 626 452   # "The old man"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "novels-mamba.h"

enum { NEW_TOKENS = 64, MOST_TOKENS = 4096 };

static bool failed(const char *what, novels_mamba_status status) {
  if (status == NOVELS_MAMBA_OK) return false;
  fprintf(stderr, "generate: %s: %s\n", what, novels_mamba_status_text(status));
  return true;
}

static int32_t likeliest(const float *logits) {
  int32_t best = 0;
  for (int32_t token = 1; token < NOVELS_MAMBA_VOCABULARY; token++) {
    if (logits[token] > logits[best]) best = token;
  }
  return best;
}

// Reads the prompt, then prints token after token.
static bool generate(novels_mamba_context *model, const int32_t *prompt, size_t count) {
  const float *logits;
  if (failed("prompt", novels_mamba_prefill(model, prompt, count, &logits))) return false;
  for (int made = 0; made < NEW_TOKENS; made++) {
    const int32_t token = likeliest(logits);
    printf("%d ", (int)token);
    if (failed("step", novels_mamba_step(model, token, &logits))) return false;
  }
  printf("\n");
  return true;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc - 2 > MOST_TOKENS) {
    fprintf(stderr, "usage: generate WEIGHTS TOKEN...\n");
    return 64;
  }
  static int32_t prompt[MOST_TOKENS];
  const size_t count = (size_t)(argc - 2);
  for (size_t index = 0; index < count; index++) {
    char *end;
    const long token = strtol(argv[index + 2], &end, 10);
    if (*end != '\0' || token < 0 || token >= NOVELS_MAMBA_VOCABULARY) {
      fprintf(stderr, "generate: '%s' is not a token id\n", argv[index + 2]);
      return 64;
    }
    prompt[index] = (int32_t)token;
  }

  // All memory is ours: one block a context, made once. It may as well be static, on a stack or in shared memory.
  const size_t bytes = novels_mamba_context_bytes(0);
  void *memory = aligned_alloc(NOVELS_MAMBA_ALIGNMENT, bytes);
  if (memory == NULL) {
    fprintf(stderr, "generate: no memory for a context of %zu bytes\n", bytes);
    return 1;
  }
  novels_mamba_context *model;
  bool done = false;
  if (!failed(argv[1], novels_mamba_create(&model, memory, bytes, 0, argv[1]))) {
    done = generate(model, prompt, count);
    novels_mamba_destroy(model);
  }
  free(memory);
  return done ? 0 : 1;
}
