// Teams of threads: those of OpenMP where IRC_OPENMP is defined, else a pool of POSIX threads. No globals, and no
// memory but the caller's; threads have the stacks that the system gives them.
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "kernels_threads.h"

#include <stdatomic.h>

// How many threads the work is worth, of those that there are.
static size_t workers_for(const irc_work *work, size_t threads) {
  size_t shares = (work->count + work->grain - 1) / work->grain;
  size_t most = shares < threads ? shares : threads;
#if IRC_SHARE_NS > 0
  uint64_t worth = work->nanoseconds / IRC_SHARE_NS;
  if (worth < most) most = (size_t)worth;
#endif
  return most > 1 ? most : 1;
}

// The numbers that are taken at the least: half of IRC_SHARE_NS of work, in whole grains.
static size_t least_share(const irc_work *work) {
#if IRC_SHARE_NS > 0
  double part = IRC_SHARE_NS / 2.0 / ((double)work->nanoseconds + 1);
  size_t least = part < 1 ? (size_t)(part * (double)work->count) : work->count;
  return (least / work->grain + 1) * work->grain;
#else
  return work->grain;
#endif
}

// How many of the numbers that are left one thread of `threads` takes: large shares first, which kernels
// like best, then smaller ones, so that all end at about the same time.
static size_t share_of(size_t left, size_t least, size_t grain, size_t threads) {
  size_t share = left / (2 * threads) / grain * grain;
  if (share < least) share = least;
  return share < left ? share : left;
}

#if defined(IRC_OPENMP)

#ifdef _OPENMP
#include <omp.h>
#endif

struct irc_team {
  size_t threads, most;
};

irc_team *IRC_NAME(team_create)(void *memory, size_t most) {
  irc_team *team = (irc_team *)memory;
  team->threads = 1;
  team->most = most;
  return team;
}

bool IRC_NAME(team_resize)(irc_team *team, size_t threads) {
  if (threads == 0 || threads > team->most) return false;
  team->threads = threads;
  return true;
}

void IRC_NAME(team_destroy)(irc_team *team) { team->threads = 1; }

void IRC_NAME(team_run)(irc_team *team, const irc_work *work) {
  size_t threads = workers_for(work, team->threads);
#ifdef _OPENMP
  if (threads > 1) {
    size_t least = least_share(work);
    _Atomic size_t next = 0;
#pragma omp parallel num_threads((int)threads) default(none) shared(next, work, least, threads)
    {
      size_t thread = (size_t)omp_get_thread_num(), first = atomic_load(&next);
      while (first < work->count) {
        size_t count = share_of(work->count - first, least, work->grain, threads);
        if (!atomic_compare_exchange_weak(&next, &first, first + count)) continue;
        work->task(work->arguments, first, count, thread);
        first = atomic_load(&next);
      }
    }
    return;
  }
#endif
  (void)share_of;
  (void)least_share;
  (void)threads;
  work->task(work->arguments, 0, work->count, 0);
}

#else

#include <pthread.h>
#include <signal.h>
#include <time.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

// For so long a thread without work looks for some before it sleeps: longer than what one thread does alone
// between two products, and short beside what the caller does between two calls.
enum { SPIN_NS = 50000, LOOKS = 32 };

// The low half of a ticket when nothing can be taken any more.
#define CLOSED UINT64_C(0xffffffff)

typedef struct worker {
  irc_team *team;
  size_t index;
  uint64_t seen;  // number of the last work before it came
  pthread_t thread;
} worker;

struct irc_team {
  // Number of the work in the high half, in the low half the first number that nobody has taken. A thread takes
  // some by raising it; whoever comes too late finds another ticket and can do no harm. So the caller waits
  // for those who have taken something, and never for a thread that has not woken up yet.
  _Alignas(64) _Atomic uint64_t ticket;
  // Numbers that are not done.
  _Alignas(64) _Atomic size_t left;
  // The work. It is written only while the ticket is closed, but may be read at any time: what belongs to
  // another ticket is read in vain.
  _Alignas(64) _Atomic(irc_task) task;
  const void *_Atomic arguments;
  _Atomic size_t count, grain, least, workers;
  // Threads of the team; those with an index from here on end.
  _Alignas(64) _Atomic size_t threads;
  _Atomic size_t sleepers;
  _Atomic bool is_waiting;  // the caller sleeps until all is done
  size_t most;
  pthread_mutex_t lock;
  pthread_cond_t work, done;
};

IRC_STATIC_ASSERT(sizeof(irc_team) <= IRC_TEAM_BYTES, "a team fits its place");
IRC_STATIC_ASSERT(sizeof(worker) <= IRC_WORKER_BYTES, "a worker fits its place");

static worker *worker_at(irc_team *team, size_t index) {
  return (worker *)(void *)((uint8_t *)team + IRC_TEAM_BYTES + (index - 1) * IRC_WORKER_BYTES);
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Lets the other thread of the core go on for a moment.
static void pause_briefly(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// Takes shares of the work with this number until there is nothing to take.
static void take_part(irc_team *team, uint64_t number, size_t index) {
  uint64_t ticket = atomic_load(&team->ticket);
  while (ticket >> 32 == number) {
    size_t first = (size_t)(ticket & CLOSED), count = atomic_load(&team->count);
    size_t workers = atomic_load(&team->workers);
    if (first >= count || index >= workers) return;
    irc_task task = atomic_load(&team->task);
    const void *arguments = atomic_load(&team->arguments);
    size_t share = share_of(
      count - first, atomic_load(&team->least), atomic_load(&team->grain), workers);
    if (!atomic_compare_exchange_weak(&team->ticket, &ticket, ticket + share)) continue;
    task(arguments, first, share, index);
    if (atomic_fetch_sub(&team->left, share) == share && atomic_load(&team->is_waiting)) {
      pthread_mutex_lock(&team->lock);
      pthread_cond_signal(&team->done);
      pthread_mutex_unlock(&team->lock);
    }
    ticket = atomic_load(&team->ticket);
  }
}

// True as long as a worker has nothing to do: the last work that it saw is the last there is.
static bool is_idle(irc_team *team, size_t index, uint64_t seen) {
  return atomic_load(&team->ticket) >> 32 == seen && index < atomic_load(&team->threads);
}

static void *serve(void *argument) {
  worker *self = (worker *)argument;
  irc_team *team = self->team;
  uint64_t seen = self->seen;
  while (self->index < atomic_load(&team->threads)) {
    uint64_t end = now_ns() + SPIN_NS;
    do {
      for (int look = 0; look < LOOKS && is_idle(team, self->index, seen); look++) pause_briefly();
    } while (is_idle(team, self->index, seen) && now_ns() < end);
    if (is_idle(team, self->index, seen)) {
      pthread_mutex_lock(&team->lock);
      atomic_fetch_add(&team->sleepers, 1);
      while (is_idle(team, self->index, seen)) pthread_cond_wait(&team->work, &team->lock);
      atomic_fetch_sub(&team->sleepers, 1);
      pthread_mutex_unlock(&team->lock);
    }
    uint64_t number = atomic_load(&team->ticket) >> 32;
    if (number != seen) take_part(team, number, self->index);
    seen = number;
  }
  return NULL;
}

static void wake_all(irc_team *team) {
  pthread_mutex_lock(&team->lock);
  pthread_cond_broadcast(&team->work);
  pthread_mutex_unlock(&team->lock);
}

irc_team *IRC_NAME(team_create)(void *memory, size_t most) {
  irc_team *team = (irc_team *)memory;
  atomic_init(&team->ticket, CLOSED);
  atomic_init(&team->left, 0);
  atomic_init(&team->task, NULL);
  atomic_init(&team->arguments, NULL);
  atomic_init(&team->count, 0);
  atomic_init(&team->grain, 1);
  atomic_init(&team->least, 1);
  atomic_init(&team->workers, 1);
  atomic_init(&team->threads, 1);
  atomic_init(&team->sleepers, 0);
  atomic_init(&team->is_waiting, false);
  team->most = most;
  if (pthread_mutex_init(&team->lock, NULL) != 0) return NULL;
  if (pthread_cond_init(&team->work, NULL) == 0) {
    if (pthread_cond_init(&team->done, NULL) == 0) return team;
    pthread_cond_destroy(&team->work);
  }
  pthread_mutex_destroy(&team->lock);
  return NULL;
}

// Ends the workers end - 1 down to `threads`.
static void end_workers(irc_team *team, size_t threads, size_t end) {
  atomic_store(&team->threads, threads);
  wake_all(team);
  for (size_t index = threads; index < end; index++)
    pthread_join(worker_at(team, index)->thread, NULL);
}

bool IRC_NAME(team_resize)(irc_team *team, size_t threads) {
  size_t before = atomic_load(&team->threads);
  if (threads == 0 || threads > team->most) return false;
  if (threads <= before) {
    if (threads < before) end_workers(team, threads, before);
    return true;
  }
  // Signals are for the threads of the program.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  atomic_store(&team->threads, threads);
  size_t index = before;
  for (; index < threads; index++) {
    worker *added = worker_at(team, index);
    added->team = team;
    added->index = index;
    added->seen = atomic_load(&team->ticket) >> 32;
    if (pthread_create(&added->thread, NULL, serve, added) != 0) break;
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (index < threads) end_workers(team, before, index);
  return index == threads;
}

void IRC_NAME(team_destroy)(irc_team *team) {
  size_t threads = atomic_load(&team->threads);
  if (threads > 1) end_workers(team, 1, threads);
  pthread_cond_destroy(&team->done);
  pthread_cond_destroy(&team->work);
  pthread_mutex_destroy(&team->lock);
}

// Until those who have taken something have done it.
static void await_others(irc_team *team) {
  uint64_t end = 0;
  while (atomic_load(&team->left) > 0) {
    for (int look = 0; look < LOOKS && atomic_load(&team->left) > 0; look++) pause_briefly();
    uint64_t now = now_ns();
    if (end == 0) end = now + SPIN_NS;
    if (now < end) continue;
    pthread_mutex_lock(&team->lock);
    atomic_store(&team->is_waiting, true);
    while (atomic_load(&team->left) > 0) pthread_cond_wait(&team->done, &team->lock);
    atomic_store(&team->is_waiting, false);
    pthread_mutex_unlock(&team->lock);
  }
}

void IRC_NAME(team_run)(irc_team *team, const irc_work *work) {
  size_t workers = workers_for(work, atomic_load(&team->threads));
  if (workers == 1) {
    work->task(work->arguments, 0, work->count, 0);
    return;
  }
  atomic_store(&team->left, work->count);
  atomic_store(&team->task, work->task);
  atomic_store(&team->arguments, work->arguments);
  atomic_store(&team->count, work->count);
  atomic_store(&team->grain, work->grain);
  atomic_store(&team->least, least_share(work));
  atomic_store(&team->workers, workers);
  // Numbers of works begin again after 2^32; no thread sleeps through that many between two looks.
  uint64_t number = ((atomic_load(&team->ticket) >> 32) + 1) & CLOSED;
  atomic_store(&team->ticket, number << 32);
  if (atomic_load(&team->sleepers) > 0) wake_all(team);
  take_part(team, number, 0);
  atomic_store(&team->ticket, number << 32 | CLOSED);
  await_others(team);
}

#endif
