/* Does what a plugin must not do, in the way that an option says. */
#include <irc_plugin.h>

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTION(name, preserves)                                                               \
  "{\"name\": \"" name "\", \"summary\": \"Do it wrong.\", \"preserves_function\": " preserves ", "    \
  "\"options\": ["                                                                                 \
  "{\"key\": \"way\", \"type\": \"text\", \"default\": \"none\", \"help\": \"What to do.\"},"         \
  "{\"key\": \"number\", \"type\": \"number\", \"default\": 1, \"minimum\": 0, \"help\": \"A number.\"},"  \
  "{\"key\": \"whole\", \"type\": \"integer\", \"default\": 1, \"maximum\": 9, \"help\": \"One more.\"},"   \
  "{\"key\": \"flag\", \"type\": \"boolean\", \"default\": true, \"help\": \"A switch.\"},"               \
  "{\"key\": \"word\", \"type\": \"choice\", \"choices\": [\"this\", \"that\"], \"default\": \"this\", "   \
  "\"help\": \"A word.\"},"                                                                        \
  "{\"key\": \"names\", \"type\": \"patterns\", \"default\": [\"*\"], \"help\": \"Names.\"}], "           \
  "\"counters\": [{\"name\": \"done\", \"help\": \"What was done.\"}], "                               \
  "\"remarks\": [{\"name\": \"said\", \"outcome\": \"analysis\", \"help\": \"What was said.\"}]}"

static const char *way_of(const irc_host *host, irc_call *call) {
  const char *way = "";
  host->text(call, "way", &way);
  return way;
}

#define WAY(name) if (strcmp(way, name) == 0)

static volatile int zero;

/* Longer than any stack. */
static int overflow(volatile char *caller) {
  volatile char room[4096];
  room[0] = caller[0];
  return overflow(room) + room[0];
}

static void crash(const char *way) {
  int *volatile nowhere = NULL;
  volatile char room[1] = {0};
  WAY("segv") *nowhere = 1;
  WAY("abort") abort();
  WAY("fpe") raise(SIGFPE);
  WAY("overflow") zero = overflow(room);
}

typedef struct {
  const irc_host *host;
  irc_call *call;
} visit;

static void *elsewhere(void *argument) {
  const visit *visit = argument;
  visit->host->count(visit->call, "done", 1);
  return NULL;
}

static int32_t talk(const irc_host *host, irc_call *call, const char *way) {
  int64_t whole;
  double number;
  int32_t flag;
  size_t count;
  WAY("no-option") return host->integer(call, "wohle", &whole);
  WAY("type") return host->integer(call, "number", &whole);
  WAY("no-room") return host->number(call, "number", NULL);
  WAY("no-remark") return host->remark(call, "sung", "la", NULL);
  WAY("no-text") return host->remark(call, "said", NULL, NULL);
  WAY("no-counter") return host->count(call, "undone", 1);
  WAY("much") return host->count(call, "done", INT64_MAX);
  WAY("silent") return IRC_FAILED;
  WAY("message") return host->fail(call, "this will not do", "do that");
  WAY("family") return host->find_sites(call, 17, NULL, &count);
  WAY("patterns") return host->find_sites(call, IRC_SCALING, "word", &count);
  WAY("tensor") {
    float element;
    return host->read_tensor(call, "no.such.tensor", &element, 1);
  }
  WAY("stranger") {
    /* Neither a call that was made up nor none does anything. */
    if (host->count((irc_call *)(uintptr_t)0x123456, "done", 1) == IRC_OK) return IRC_OK;
    if (host->count(NULL, "done", 1) == IRC_OK) return IRC_OK;
    return host->fail(call, "strangers are sent away", NULL);
  }
  WAY("thread") {
    pthread_t thread;
    visit visit = {host, call};
    pthread_create(&thread, NULL, elsewhere, &visit);
    pthread_join(thread, NULL);
    return IRC_OK;
  }
  WAY("ignored") {
    host->count(call, "undone", 1);
    host->count(call, "done", 1);
    return IRC_OK;
  }
  crash(way);
  if (host->number(call, "number", &number) != IRC_OK || number != 1) return host->fail(call, "number", NULL);
  if (host->integer(call, "whole", &whole) != IRC_OK || whole != 1) return host->fail(call, "whole", NULL);
  if (host->flag(call, "flag", &flag) != IRC_OK || flag != 1) return host->fail(call, "flag", NULL);
  return host->count(call, "done", 1);
}

static int32_t transform(const irc_host *host, irc_call *call) {
  const char *way = way_of(host, call);
  const int mixes = strncmp(way, "mix-", 4) == 0, permutes = strncmp(way, "order", 5) == 0;
  size_t count = 0, order[64];
  double factors[64 * 64] = {0};
  const uint32_t family = mixes ? IRC_MIXING : permutes ? IRC_PERMUTING : IRC_SCALING;
  if (host->find_sites(call, family, "names", &count) != IRC_OK) return IRC_FAILED;
  irc_site site = {.struct_size = sizeof site};
  WAY("index") return host->site(call, count, &site);
  WAY("size") site.struct_size = 0;
  size_t index = 0;
  for (; index < count; index++) {
    if (host->site(call, index, &site) != IRC_OK) return IRC_FAILED;
    if (site.online == 0 && site.width <= 64) break;
  }
  if (index == count) return host->fail(call, "there is no site for the test", NULL);
  const size_t width = site.width;
  for (size_t j = 0; j < width; j++) {
    factors[j] = 2;
    order[j] = j;
  }
  irc_statistics statistics = {.struct_size = sizeof statistics};
  WAY("statistics") return host->site_statistics(call, index, &statistics);
  WAY("count") return host->apply_diagonal(call, index, factors, width - 1, 0);
  WAY("no-factors") return host->apply_diagonal(call, index, NULL, width, 0);
  WAY("flags") return host->apply_diagonal(call, index, factors, width, 64);
  WAY("nan") factors[width - 1] = NAN;
  WAY("zero") factors[0] = 0;
  WAY("order-twice") order[0] = order[1];
  WAY("order-far") order[0] = SIZE_MAX;
  WAY("group") return host->apply_rotation(call, index, (double[]){0, 1, 1, 0}, 1, 2, 0);
  WAY("mix-skew") return host->apply_rotation(call, index, (double[]){1, 1, 0, 1}, 1, 2, 0);
  WAY("mix-flat") return host->apply_matrices(call, index, (double[]){1, 2, 2, 4}, 1, 2, 0);
  WAY("mix-nan") return host->apply_matrices(call, index, (double[]){1, NAN, 0, 1}, 1, 2, 0);
  WAY("mix-many") return host->apply_matrices(call, index, factors, SIZE_MAX / 2, 4, 0);
  WAY("mix-odd") return host->apply_matrices(call, index, factors, 1, 3, 0);
  WAY("mix-none") return host->apply_matrices(call, index, factors, 0, 0, 0);
  WAY("mix-good") return host->apply_rotation(call, index, (double[]){0.6, 0.8, -0.8, 0.6}, 1, 2, 0);
  WAY("mix-general") return host->apply_matrices(call, index, (double[]){2, 1, 0, 0.5}, 1, 2, 0);
  if (permutes) return host->apply_permutation(call, index, order, width, 0);
  if (host->apply_diagonal(call, index, factors, width, 0) != IRC_OK) return IRC_FAILED;
  WAY("twice") return host->apply_diagonal(call, index, factors, width, 0);
  return talk(host, call, way);
}

static int32_t round_weight(const irc_host *host, irc_call *call) {
  const char *way = way_of(host, call);
  size_t count = 0;
  float elements[4096], scales[4096];
  int8_t codes[4096] = {0}, zeros[4096] = {0};
  irc_weight weight = {.struct_size = sizeof weight};
  if (host->find_weights(call, "names", &count) != IRC_OK) return IRC_FAILED;
  WAY("weight-index") return host->weight(call, count, &weight);
  if (host->weight(call, 0, &weight) != IRC_OK) return IRC_FAILED;
  const size_t size = weight.rows * weight.columns, groups = weight.scale_rows * weight.scale_columns;
  if (size > 4096) return host->fail(call, "the weight is too large for the test", NULL);
  irc_statistics statistics = {.struct_size = sizeof statistics};
  WAY("weight-statistics") return host->weight_statistics(call, 0, &statistics);
  WAY("read-count") return host->read_weight(call, 0, elements, size + 1);
  WAY("read-null") return host->read_weight(call, 0, NULL, size);
  if (host->read_weight(call, 0, elements, size) != IRC_OK) return IRC_FAILED;
  if (host->read_scales(call, 0, scales, zeros, groups) != IRC_OK) return IRC_FAILED;
  WAY("codes-null") return host->attach_codes(call, 0, NULL, size, NULL, NULL, 0);
  WAY("codes-count") return host->attach_codes(call, 0, codes, size - 1, NULL, NULL, 0);
  WAY("codes-range") codes[size - 1] = 100;
  WAY("scales-count") return host->attach_codes(call, 0, codes, size, scales, NULL, groups + 1);
  WAY("scales-nan") scales[0] = NAN;
  WAY("scales-negative") scales[groups - 1] = -1;
  WAY("scales-odd") scales[0] *= 1.0001f;
  WAY("zeros") return host->attach_codes(call, 0, codes, size, scales, zeros, groups);
  WAY("zeros-alone") return host->attach_codes(call, 0, codes, size, NULL, zeros, groups);
  if (host->attach_codes(call, 0, codes, size, scales, NULL, groups) != IRC_OK) return IRC_FAILED;
  WAY("codes-twice") return host->attach_codes(call, 0, codes, size, NULL, NULL, 0);
  return host->count(call, "done", 1);
}

static int32_t check(const irc_host *host, irc_call *call) {
  const char *way = way_of(host, call);
  size_t count;
  WAY("complain") return host->fail(call, "'way: complain' cannot be", "choose another");
  WAY("check-sites") return host->find_sites(call, IRC_SCALING, NULL, &count);
  WAY("check-segv") crash("segv");
  return IRC_OK;
}

static const irc_pass transforms = {IRC_PASS_HEAD, DESCRIPTION("misuse-site", "true"), check, transform};
static const irc_pass rounds = {IRC_PASS_HEAD, DESCRIPTION("misuse-weight", "false"), NULL, round_weight};

IRC_C_PLUGIN(&transforms, &rounds)
