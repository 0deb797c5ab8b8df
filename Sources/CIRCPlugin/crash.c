/* Says whose fault it is when code of a plugin ends the process. */
#define _GNU_SOURCE
#include "irc_plugin_host.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct irc_plugin_guard {
  irc_plugin_guard *outer;  /* of the same thread */
  size_t head_size, tail_size;
  char text[];
};

/* A pass may let other threads work for it: those have no guard of their own, and take the latest. */
static _Thread_local irc_plugin_guard *own;
static _Atomic(irc_plugin_guard *) latest;

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"},
               {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"}};
enum { SIGNALS = sizeof signals / sizeof *signals };
static struct sigaction earlier[SIGNALS];

static void say(const char *text, size_t size) {
  while (size > 0) {
    const ssize_t count = write(STDERR_FILENO, text, size);
    if (count <= 0) return;
    text += count;
    size -= (size_t)count;
  }
}

/* Whether a backtrace, which the Swift runtime prints, was asked for with SWIFT_BACKTRACE; else what is said here is all. */
static int wants_backtrace;

/* Calls nothing but what may be called in a signal handler. A signal that is no plugin's goes to whoever handled it before, as if this
   had not been. */
static void crashed(int number, siginfo_t *info, void *context) {
  (void)context;
  const irc_plugin_guard *guard = own != NULL ? own : atomic_load(&latest);
  for (int index = 0; index < SIGNALS; index++) {
    if (signals[index].number != number) continue;
    if (guard != NULL) {
      say(guard->text, guard->head_size);
      say(signals[index].name, strlen(signals[index].name));
      say(guard->text + guard->head_size, guard->tail_size);
    }
    if (guard == NULL || wants_backtrace) {
      sigaction(number, &earlier[index], NULL);
    } else {
      signal(number, SIG_DFL);
    }
  }
  /* An instruction that faulted does so again. */
  if (info->si_code > 0 && number != SIGTRAP) return;
  /* Others do not come again by themselves; and a handler that lets the program go on, as if they did, has the last word no more. */
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  raise(number);
  signal(number, SIG_DFL);
  raise(number);
}

static void install(void) {
  wants_backtrace = getenv("SWIFT_BACKTRACE") != NULL;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = crashed;
  action.sa_flags = SA_ONSTACK | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  for (int index = 0; index < SIGNALS; index++) {
    sigaction(signals[index].number, &action, &earlier[index]);
  }
}

/* A stack that has run over has no room for a handler. The thread keeps its spare one until it ends. */
static void prepare_stack(void) {
  static _Thread_local char *stack;
  stack_t spare;
  if (stack != NULL || sigaltstack(NULL, &spare) != 0 || (spare.ss_flags & SS_DISABLE) == 0) return;
  enum { SIZE = 1 << 16 };
  stack = malloc(SIZE);
  if (stack == NULL) return;
  memset(&spare, 0, sizeof spare);
  spare.ss_sp = stack;
  spare.ss_size = SIZE;
  sigaltstack(&spare, NULL);
}

irc_plugin_guard *irc_plugin_enter(const char *head, const char *tail) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  prepare_stack();
  const size_t head_size = strlen(head), tail_size = strlen(tail);
  irc_plugin_guard *guard = malloc(sizeof *guard + head_size + tail_size);
  if (guard == NULL) return NULL;
  guard->head_size = head_size;
  guard->tail_size = tail_size;
  memcpy(guard->text, head, head_size);
  memcpy(guard->text + head_size, tail, tail_size);
  guard->outer = own;
  own = guard;
  atomic_store(&latest, guard);
  return guard;
}

void irc_plugin_leave(irc_plugin_guard *guard) {
  if (guard == NULL) return;
  own = guard->outer;
  irc_plugin_guard *expected = guard;
  /* One that another thread entered later stays. */
  atomic_compare_exchange_strong(&latest, &expected, guard->outer);
  free(guard);
}
