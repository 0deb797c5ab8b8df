// What the processor that this runs on can do at most: reading memory, and multiplying and adding
// out of registers. 'irc bench' measures kernels against it. None of this is emitted.
#ifndef IRC_PROBES_H
#define IRC_PROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Ways to multiply and add, of which a processor has some.
typedef enum irc_peak {
  IRC_PEAK_FLOAT = 0,          // float products and sums: fused where there is such an instruction
  IRC_PEAK_INT8_PORTABLE = 1,  // int8 products in int32 sums, as the compiler's own loop
  IRC_PEAK_INT8_AVX2 = 2,      // vpmaddubsw, vpmaddwd, vpaddd of 32 bytes
  IRC_PEAK_INT8_VNNI = 3,      // vpdpbusd of 64 bytes
  IRC_PEAK_INT8_AMX = 4        // tdpbssd of tiles of 16 rows of 64 bytes
} irc_peak;

enum { IRC_PEAKS = 5 };

// Whether this processor and system can run it. Asks the system for the tiles of AMX, once for all
// threads that are started later.
bool irc_peak_is_there(irc_peak peak);

// The instruction, for people.
const char *irc_peak_name(irc_peak peak);

// Runs `rounds` rounds; returns how many operations that were, a product and its sum being two.
// `sink` receives something that depends on all of them, so that none is left out.
double irc_run_peak(irc_peak peak, size_t rounds, int32_t *sink);

// Reads `bytes` bytes, a multiple of 4096, in sequence; returns something that depends on all.
uint64_t irc_probe_read(const void *data, size_t bytes);

// x = x * factor in place, n a multiple of 64.
void irc_probe_scale(float *x, size_t n, float factor);

// Fills `bytes` bytes with a sequence that depends on the seed: equal seeds, equal bytes.
void irc_probe_fill(void *data, size_t bytes, uint64_t seed);

// Lets this thread, and what it starts later, run on these processors only; false if the system
// does not allow that.
bool irc_pin_thread(const uint32_t *processors, size_t count);

// The processors that this thread may run on, ascending, `room` at most; 0 where the system does
// not tell. Returns how many there are.
size_t irc_allowed_processors(uint32_t *processors, size_t room);

// Lets the other thread of a processor's core go first, in a loop that waits.
void irc_pause(void);

#ifdef __cplusplus
}
#endif
#endif
