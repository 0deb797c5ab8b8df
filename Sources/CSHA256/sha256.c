#include "irc_sha256.h"

#include <stdatomic.h>

static inline uint32_t rotated(uint32_t word, int count) {
    return word >> count | word << (32 - count);
}

static inline uint32_t word_at(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/// One round whose variable a is at place `a` of eight that go in a circle; `input` is the sum of the round's word and constant.
static inline void round_at(uint32_t v[8], int a, uint32_t input) {
    const uint32_t va = v[a & 7], vb = v[(a + 1) & 7], vc = v[(a + 2) & 7], ve = v[(a + 4) & 7];
    const uint32_t first = v[(a + 7) & 7] + (rotated(ve, 6) ^ rotated(ve, 11) ^ rotated(ve, 25)) +
                           (v[(a + 6) & 7] ^ (ve & (v[(a + 5) & 7] ^ v[(a + 6) & 7]))) + input;
    v[(a + 3) & 7] += first;
    v[(a + 7) & 7] = first + (rotated(va, 2) ^ rotated(va, 13) ^ rotated(va, 22)) +
                     ((va & vb) | (vc & (va | vb)));
}

void irc_sha256_compress_portable(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]) {
    uint32_t words[64];
    for (; count > 0; count--, blocks += 64) {
        for (int t = 0; t < 16; t++) words[t] = word_at(blocks + 4 * t);
        for (int t = 16; t < 64; t++) {
            const uint32_t w15 = words[t - 15], w2 = words[t - 2];
            words[t] = words[t - 16] + (rotated(w15, 7) ^ rotated(w15, 18) ^ w15 >> 3) + words[t - 7] +
                       (rotated(w2, 17) ^ rotated(w2, 19) ^ w2 >> 10);
        }
        uint32_t v[8];
        for (int i = 0; i < 8; i++) v[i] = state[i];
        // Eight rounds bring every variable back to its place, so none has to be moved.
        for (int t = 0; t < 64; t += 8) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) round_at(v, 8 - i, words[t + i] + constants[t + i]);
        }
        for (int i = 0; i < 8; i++) state[i] += v[i];
    }
}

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#include <immintrin.h>

/// Four rounds at a time. The instructions keep the state as the pairs (a, b, e, f) and (c, d, g, h), highest lane first.
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_with_instructions(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]) {
    const __m128i byte_order = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
    __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);
    for (; count > 0; count--, blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i words[4];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i next;
            if (i < 4) {
                next = _mm_loadu_si128((const __m128i *)(blocks + 16 * i));
                next = _mm_shuffle_epi8(next, byte_order);
            } else {
                const __m128i last = words[(i + 3) & 3];
                next = _mm_sha256msg1_epu32(words[i & 3], words[(i + 1) & 3]);
                next = _mm_add_epi32(next, _mm_alignr_epi8(last, words[(i + 2) & 3], 4));
                next = _mm_sha256msg2_epu32(next, last);
            }
            words[i & 3] = next;
            const __m128i input =
                _mm_add_epi32(next, _mm_loadu_si128((const __m128i *)(constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/// True if the processor has the instructions: leaf 7 of CPUID says so, and leaf 1 that it has SSE4.1.
static int has_instructions(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 19))) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    return (b & (1u << 29)) != 0;
}
#else
static int has_instructions(void) {
    return 0;
}

static void compress_with_instructions(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]) {
    irc_sha256_compress_portable(state, blocks, count, constants);
}
#endif

void irc_sha256_compress(
    uint32_t state[8], const unsigned char *blocks, size_t count, const uint32_t constants[64]) {
    // Asking the processor takes long in a virtual machine. All threads find the same answer.
    static atomic_int known = -1;
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer < 0) {
        answer = has_instructions();
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    if (answer) {
        compress_with_instructions(state, blocks, count, constants);
    } else {
        irc_sha256_compress_portable(state, blocks, count, constants);
    }
}
