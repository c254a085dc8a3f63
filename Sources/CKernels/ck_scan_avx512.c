// SPDX-License-Identifier: Apache-2.0
// AVX-512, with and without VNNI.
#if defined(__x86_64__)

#include <immintrin.h>

#include "ck_scan_kernels.h"

#define CK_AVX512 "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
// The tuning keeps the compiler from taking vpdpwssd apart again; the same tuning would make it halve the vectors of
// the floating-point kernels, which therefore go without.
#define CK_VNNI __attribute__((target(CK_AVX512 ",avx512vnni,tune=icelake-server")))
#define CK_PLAIN __attribute__((target(CK_AVX512)))

#define CK_FLOAT(name) ck_scan_avx512_##name
#define CK_FLOAT_TARGET CK_PLAIN
#define CK_FLOAT_TILE 4
#include "ck_scan_float.h"

// The peaks of a scan, one a lane, kept in registers over a segment.
typedef struct peaks {
    __m512i score, block;
} peaks;

CK_PLAIN static inline __attribute__((always_inline)) void peaks_raise(peaks *peaks, __m512i score, uint32_t block,
                                                                       __mmask16 lanes) {
    __mmask16 higher = _mm512_mask_cmpgt_epi32_mask(lanes, score, peaks->score);
    peaks->score = _mm512_mask_mov_epi32(peaks->score, higher, score);
    peaks->block = _mm512_mask_set1_epi32(peaks->block, higher, (int)block);
}

CK_PLAIN static inline __attribute__((always_inline)) void peaks_store(const peaks *peaks, uint32_t base,
                                                                       ck_scan_state *state) {
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i old = _mm512_loadu_si512(state->peak_score);
    __mmask16 higher = _mm512_cmpgt_epi32_mask(peaks->score, old);
    __m512i slot = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(peaks->block, 4), lane),
                                    _mm512_set1_epi32((int)base));
    _mm512_mask_storeu_epi32(state->peak_score, higher, peaks->score);
    _mm512_mask_storeu_epi32(state->peak_slot, higher, slot);
}

// Scores of `blocks` consecutive blocks; sharing each load of a weight is what doing two at once is for.
CK_VNNI static inline __attribute__((always_inline)) void scores_vnni(const uint8_t *bytes, const uint8_t *ahead,
                                                                      const int blocks,
                                                                      const int32_t digits[CK_SCAN_GROUPS][4],
                                                                      __m512i *scores) {
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i high[2][2], low[2][2];
    for (int i = 0; i < blocks; i++) {
        high[i][0] = high[i][1] = low[i][0] = low[i][1] = _mm512_setzero_si512();
    }
#pragma clang loop unroll(full)
    for (int g = 0; g < CK_SCAN_GROUPS; g++) {
        __m512i w0 = _mm512_set1_epi32(digits[g][0]), w1 = _mm512_set1_epi32(digits[g][1]);
        __m512i w2 = _mm512_set1_epi32(digits[g][2]), w3 = _mm512_set1_epi32(digits[g][3]);
        for (int i = 0; i < blocks; i++) {
            __builtin_prefetch(ahead + i * CK_SCAN_BLOCK_BYTES + 64 * g);
            __m512i both = _mm512_loadu_si512(bytes + i * CK_SCAN_BLOCK_BYTES + 64 * g);
            __m512i a = _mm512_and_si512(both, nibble);
            __m512i b = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
            high[i][0] = _mm512_dpbusd_epi32(high[i][0], a, w0);
            low[i][0] = _mm512_dpbusd_epi32(low[i][0], a, w1);
            high[i][1] = _mm512_dpbusd_epi32(high[i][1], b, w2);
            low[i][1] = _mm512_dpbusd_epi32(low[i][1], b, w3);
        }
    }
    for (int i = 0; i < blocks; i++) {
        __m512i h = _mm512_add_epi32(high[i][0], high[i][1]);
        scores[i] = _mm512_add_epi32(_mm512_slli_epi32(h, 8), _mm512_add_epi32(low[i][0], low[i][1]));
    }
}

CK_VNNI static uint32_t lead_vnni(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                                  const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state,
                                  uint16_t *slots) {
    uint32_t found = 0, blocks = (segment->count + CK_SCAN_BLOCK - 1) / CK_SCAN_BLOCK, block = 0;
    const __m512i least = _mm512_set1_epi32(floor);
    peaks peaks = {_mm512_set1_epi32(INT32_MIN), _mm512_setzero_si512()};
    __m512i score[2];
    for (; block + 2 < blocks; block += 2) {
        const uint8_t *ahead = ck_scan_ahead(segment->lead, next, block, blocks);
        scores_vnni(segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES, ahead, 2, digits, score);
        peaks_raise(&peaks, score[0], block, 0xffff);
        peaks_raise(&peaks, score[1], block + 1, 0xffff);
        uint32_t first = _mm512_cmpge_epi32_mask(score[0], least), second = _mm512_cmpge_epi32_mask(score[1], least);
        if (__builtin_expect((first | second) != 0, 0)) {
            found = ck_scan_emit(segment, block, first, slots, found);
            found = ck_scan_emit(segment, block + 1, second, slots, found);
        }
    }
    for (; block < blocks; block++) {
        uint32_t lanes = ck_scan_lanes(segment->count, block);
        const uint8_t *ahead = ck_scan_ahead(segment->lead, next, block, blocks);
        scores_vnni(segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES, ahead, 1, digits, score);
        peaks_raise(&peaks, score[0], block, (__mmask16)lanes);
        uint32_t reached = _mm512_mask_cmpge_epi32_mask((__mmask16)lanes, score[0], least);
        found = ck_scan_emit(segment, block, reached, slots, found);
    }
    peaks_store(&peaks, base, state);
    return found;
}

// Without VNNI: pairs of products in 16 bits. A nibble times a digit is at most 15 x 128 and a pair of them 3,840, so
// the eight groups sum to at most 30,720: nothing saturates.
CK_PLAIN static inline __attribute__((always_inline)) __m512i scores_plain(const uint8_t *bytes,
                                                                           const uint8_t *ahead,
                                                                           const int32_t digits[CK_SCAN_GROUPS][4]) {
    const __m512i nibble = _mm512_set1_epi8(15), ones = _mm512_set1_epi16(1);
    __m512i sums[4];
    for (int i = 0; i < 4; i++) sums[i] = _mm512_setzero_si512();
    for (int g = 0; g < CK_SCAN_GROUPS; g++) {
        __builtin_prefetch(ahead + 64 * g);
        __m512i both = _mm512_loadu_si512(bytes + 64 * g);
        __m512i a = _mm512_and_si512(both, nibble);
        __m512i b = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
        sums[0] = _mm512_add_epi16(sums[0], _mm512_maddubs_epi16(a, _mm512_set1_epi32(digits[g][0])));
        sums[1] = _mm512_add_epi16(sums[1], _mm512_maddubs_epi16(a, _mm512_set1_epi32(digits[g][1])));
        sums[2] = _mm512_add_epi16(sums[2], _mm512_maddubs_epi16(b, _mm512_set1_epi32(digits[g][2])));
        sums[3] = _mm512_add_epi16(sums[3], _mm512_maddubs_epi16(b, _mm512_set1_epi32(digits[g][3])));
    }
    for (int i = 0; i < 4; i++) sums[i] = _mm512_madd_epi16(sums[i], ones);
    return _mm512_add_epi32(_mm512_slli_epi32(_mm512_add_epi32(sums[0], sums[2]), 8),
                            _mm512_add_epi32(sums[1], sums[3]));
}

CK_PLAIN static uint32_t lead_plain(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                                    const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state,
                                    uint16_t *slots) {
    uint32_t found = 0, blocks = (segment->count + CK_SCAN_BLOCK - 1) / CK_SCAN_BLOCK;
    const __m512i least = _mm512_set1_epi32(floor);
    peaks peaks = {_mm512_set1_epi32(INT32_MIN), _mm512_setzero_si512()};
    for (uint32_t block = 0; block < blocks; block++) {
        uint32_t lanes = ck_scan_lanes(segment->count, block);
        const uint8_t *ahead = ck_scan_ahead(segment->lead, next, block, blocks);
        __m512i score = scores_plain(segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES, ahead, digits);
        peaks_raise(&peaks, score, block, (__mmask16)lanes);
        uint32_t reached = _mm512_mask_cmpge_epi32_mask((__mmask16)lanes, score, least);
        if (__builtin_expect(reached != 0, 0)) found = ck_scan_emit(segment, block, reached, slots, found);
    }
    peaks_store(&peaks, base, state);
    return found;
}

CK_PLAIN static void lines(const uint8_t *lines, const uint16_t *slots, uint32_t count, const int16_t *weights,
                           int32_t *sums) {
    const __m512i low = _mm512_loadu_si512(weights), high = _mm512_loadu_si512(weights + 32);
    for (uint32_t i = 0; i < count; i++) {
        const __m256i *line = (const __m256i *)(lines + (size_t)slots[i] * CK_SCAN_LINE_BYTES);
        __m512i a = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm256_loadu_si256(line)), low);
        __m512i b = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm256_loadu_si256(line + 1)), high);
        sums[i] = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
}

// Asks for a vector ahead of its turn; the entries that reach this far lie anywhere in the segment.
static inline __attribute__((always_inline)) void prefetch_vector(const int16_t *vector, uint32_t stride) {
    for (uint32_t k = 0; k < stride && k < 1024; k += 32) __builtin_prefetch(vector + k);
}

CK_VNNI static void vectors_vnni(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                                 const int16_t *query, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        if (i + 2 < count) prefetch_vector(vectors + (size_t)slots[i + 2] * stride, stride);
        const int16_t *vector = vectors + (size_t)slots[i] * stride;
        __m512i a = _mm512_setzero_si512(), b = a;
        uint32_t k = 0;
        for (; k + 64 <= stride; k += 64) {
            a = _mm512_dpwssd_epi32(a, _mm512_loadu_si512(vector + k), _mm512_loadu_si512(query + k));
            b = _mm512_dpwssd_epi32(b, _mm512_loadu_si512(vector + k + 32), _mm512_loadu_si512(query + k + 32));
        }
        if (k < stride) a = _mm512_dpwssd_epi32(a, _mm512_loadu_si512(vector + k), _mm512_loadu_si512(query + k));
        sums[i] = _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
    }
}

CK_PLAIN static void vectors_plain(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                                   const int16_t *query, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        if (i + 2 < count) prefetch_vector(vectors + (size_t)slots[i + 2] * stride, stride);
        const int16_t *vector = vectors + (size_t)slots[i] * stride;
        __m512i sum = _mm512_setzero_si512();
        for (uint32_t k = 0; k < stride; k += 32) {
            sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_loadu_si512(vector + k),
                                                          _mm512_loadu_si512(query + k)));
        }
        sums[i] = _mm512_reduce_add_epi32(sum);
    }
}

const ck_scan_kernels ck_scan_kernels_avx512 = {
    lead_plain, lines, vectors_plain, ck_scan_avx512_dot, ck_scan_avx512_project, ck_scan_avx512_accumulate,
    ck_scan_avx512_quantise, ck_scan_avx512_encode,
};

const ck_scan_kernels ck_scan_kernels_avx512vnni = {
    lead_vnni, lines, vectors_vnni, ck_scan_avx512_dot, ck_scan_avx512_project, ck_scan_avx512_accumulate,
    ck_scan_avx512_quantise, ck_scan_avx512_encode,
};

#endif
