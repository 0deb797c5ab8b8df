/// The compression function of SHA-256 (FIPS 180-4, section 6.2.2).
#ifndef IRC_SHA256_H
#define IRC_SHA256_H

#include <stddef.h>
#include <stdint.h>

/// Takes `count` blocks of 64 bytes into the state.
///
/// Uses the processor's instructions for SHA-256 where it has them; the result is the same everywhere.
///
/// `constants` are the 64 round constants of FIPS 180-4, section 4.2.2.
void irc_sha256_compress(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]);

/// The same in portable C, for tests and for processors without such instructions.
void irc_sha256_compress_portable(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]);

#endif
