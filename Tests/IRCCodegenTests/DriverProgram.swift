/// A C program that uses an emitted library as a user would, checks its promises, and writes the logits of every token.
///
///     driver WEIGHTS OTHER-WEIGHTS OUTPUT MAX-TOKENS ID...
///
/// Prints a line for each promise that is broken. `OTHER-WEIGHTS` is a file that must be refused with the status in the
/// environment variable EXPECT, or `-`.
let driverProgram = #"""
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>

  #define JOIN_(a, b) a##_##b
  #define JOIN(a, b) JOIN_(a, b)
  #define F(name) JOIN(MODEL, name)
  #define C(name) JOIN(MACRO, name)
  #include HEADER

  static int failures;
  #define CHECK(condition) \
    do { if (!(condition)) { printf("line %d: %s\n", __LINE__, #condition); failures++; } } while (0)

  static void *allocate(size_t bytes) {
    void *memory = aligned_alloc(C(ALIGNMENT), (bytes + 63) / 64 * 64);
    if (!memory) exit(3);
    memset(memory, 0xA5, bytes);  // a context must not rely on zeros
    return memory;
  }

  int main(int argc, char **argv) {
    if (argc < 6) return 2;
    const char *weights = argv[1], *other = argv[2];
    size_t max_tokens = (size_t)strtoul(argv[4], NULL, 10), count = (size_t)argc - 5;
    int32_t *ids = malloc(count * sizeof *ids);
    for (size_t t = 0; t < count; t++) ids[t] = (int32_t)strtol(argv[5 + t], NULL, 10);

    size_t bytes = F(context_bytes)(max_tokens);
    CHECK(bytes > 0);
    const char *reported = getenv("CONTEXT_BYTES");
    if (reported) CHECK(F(context_bytes)(0) == strtoul(reported, NULL, 10));
    uint8_t *memory = allocate(bytes + 64);
    F(context) *m = NULL;

    // Bad arguments.
    CHECK(F(create)(NULL, memory, bytes, max_tokens, weights) == C(BAD_ARGUMENT));
    CHECK(F(create)(&m, NULL, bytes, max_tokens, weights) == C(BAD_ARGUMENT) && !m);
    CHECK(F(create)(&m, memory + 8, bytes, max_tokens, weights) == C(BAD_ARGUMENT) && !m);
    CHECK(F(create)(&m, memory, bytes - 1, max_tokens, weights) == C(BAD_ARGUMENT) && !m);
    CHECK(F(create)(&m, memory, bytes, max_tokens, NULL) == C(BAD_ARGUMENT) && !m);
    CHECK(F(create)(&m, memory, bytes, max_tokens, "/nowhere/at/all") == C(UNREADABLE_FILE) && !m);
    CHECK(F(create)(&m, memory, bytes, max_tokens, "/") == C(UNREADABLE_FILE) && !m);
    if (strcmp(other, "-") != 0) {
      const char *expect = getenv("EXPECT");
      F(status) status = F(create)(&m, memory, bytes, max_tokens, other);
      if (status == C(OK)) {
        status = F(verify)(m);
        F(destroy)(m);
      }
      CHECK(expect && status == (F(status))atoi(expect));
    }

    CHECK(F(create)(&m, memory, bytes, max_tokens, weights) == C(OK));
    if (!m) return 1;
    CHECK(F(verify)(m) == C(OK) && F(position)(m) == 0);
    CHECK(F(vocabulary)() == C(VOCABULARY) && F(context_length)() == C(CONTEXT));
    CHECK(F(most_threads)() == C(MOST_THREADS) && strcmp(F(kernels)(), "none") != 0);

    const size_t columns = C(VOCABULARY);
    float *all = allocate(count * columns * sizeof *all);
    const float *logits = NULL;
    CHECK(F(score)(m, ids, count, all) == C(OK) && F(position)(m) == count);

    // Prompts in pieces, and single tokens, give the same bits, with any number of threads.
    const size_t pieces[] = {1, 2, 5, C(CHUNK), C(CHUNK) + 1, count};
    const size_t threads[] = {1, C(MOST_THREADS), 3, 2};
    size_t before = 0;
    float *again = allocate(count * columns * sizeof *all);
    for (size_t n = 0; n < sizeof threads / sizeof *threads; n++) {
      if (threads[n] > C(MOST_THREADS) || threads[n] == before) continue;
      before = threads[n];
      CHECK(F(set_threads)(m, threads[n]) == C(OK));
      for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        F(reset)(m);
        CHECK(F(position)(m) == 0);
        for (size_t at = 0; at < count;) {
          size_t length = count - at < pieces[p] ? count - at : pieces[p];
          CHECK(F(prefill)(m, ids + at, length, &logits) == C(OK));
          at += length;
          CHECK(memcmp(logits, all + (at - 1) * columns, columns * sizeof *all) == 0);
        }
      }
      F(reset)(m);
      for (size_t t = 0; t < count; t++) {
        CHECK(F(step)(m, ids[t], t % 3 ? &logits : NULL) == C(OK));
        if (t % 3) CHECK(memcmp(logits, all + t * columns, columns * sizeof *all) == 0);
      }
      F(reset)(m);
      CHECK(F(score)(m, ids, count, again) == C(OK));
      CHECK(memcmp(again, all, count * columns * sizeof *all) == 0);
    }
    free(again);
    CHECK(F(set_threads)(m, 0) == C(BAD_ARGUMENT) && F(set_threads)(NULL, 1) == C(BAD_ARGUMENT));
    CHECK(F(set_threads)(m, C(MOST_THREADS) + 1) == C(BAD_ARGUMENT));

    // Refused calls leave the context as it was.
    F(reset)(m);
    CHECK(F(prefill)(m, ids, count / 2, NULL) == C(OK));
    int32_t bad[2] = {ids[0], -1};
    CHECK(F(prefill)(m, bad, 2, &logits) == C(TOKEN_OUT_OF_RANGE));
    CHECK(F(step)(m, C(TOKEN_IDS), &logits) == C(TOKEN_OUT_OF_RANGE));
    CHECK(F(step)(m, INT32_MAX, &logits) == C(TOKEN_OUT_OF_RANGE));
    CHECK(F(prefill)(m, ids, 0, &logits) == C(BAD_ARGUMENT));
    CHECK(F(prefill)(m, NULL, 1, &logits) == C(BAD_ARGUMENT));
    CHECK(F(prefill)(NULL, ids, 1, &logits) == C(BAD_ARGUMENT));
    CHECK(F(score)(m, ids, 1, NULL) == C(BAD_ARGUMENT));
    if (C(CONTEXT) > 0) CHECK(F(prefill)(m, ids, SIZE_MAX / 8, &logits) == C(CONTEXT_FULL));
    CHECK(F(position)(m) == count / 2);
    CHECK(F(prefill)(m, ids + count / 2, count - count / 2, &logits) == C(OK));
    CHECK(memcmp(logits, all + (count - 1) * columns, columns * sizeof *all) == 0);
    if (C(CONTEXT) > 0 && max_tokens == count) {
      CHECK(F(step)(m, ids[0], &logits) == C(CONTEXT_FULL) && F(position)(m) == count);
      F(reset)(m);
      CHECK(F(step)(m, ids[0], &logits) == C(OK));
    }
    for (int status = 0; status < 10; status++) CHECK(strlen(F(status_text)((F(status))status)) > 0);
    if (C(CONTEXT) > 0) CHECK(F(context_bytes)(SIZE_MAX) == 0);

    F(destroy)(m);
    F(destroy)(NULL);
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(all, sizeof *all, count * columns, file) != count * columns) return 4;
    fclose(file);
    free(all);
    free(ids);
    free(memory);
    return failures != 0;
  }

  """#
