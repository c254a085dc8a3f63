// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#include "ck_scan_kernels.h"

#define CK_AVX2 __attribute__((target("avx2,fma")))

#define CK_FLOAT(name) ck_scan_avx2_##name
#define CK_FLOAT_TARGET CK_AVX2
#define CK_FLOAT_TILE 1
#include "ck_scan_float.h"

CK_AVX2 static inline int32_t reduce(__m256i sums) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
}

// Scores of eight entries. Pairs of products in 16 bits: a nibble times a digit is at most 15 x 128 and a pair of them
// 3,840, so the eight groups sum to at most 30,720: nothing saturates.
CK_AVX2 static inline __attribute__((always_inline)) __m256i scores(const uint8_t *bytes,
                                                                    const int32_t digits[CK_SCAN_GROUPS][4]) {
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i sums[4];
    for (int i = 0; i < 4; i++) sums[i] = _mm256_setzero_si256();
    for (int g = 0; g < CK_SCAN_GROUPS; g++) {
        __m256i both = _mm256_loadu_si256((const __m256i *)(bytes + 64 * g));
        __m256i a = _mm256_and_si256(both, nibble);
        __m256i b = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
        sums[0] = _mm256_add_epi16(sums[0], _mm256_maddubs_epi16(a, _mm256_set1_epi32(digits[g][0])));
        sums[1] = _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(a, _mm256_set1_epi32(digits[g][1])));
        sums[2] = _mm256_add_epi16(sums[2], _mm256_maddubs_epi16(b, _mm256_set1_epi32(digits[g][2])));
        sums[3] = _mm256_add_epi16(sums[3], _mm256_maddubs_epi16(b, _mm256_set1_epi32(digits[g][3])));
    }
    for (int i = 0; i < 4; i++) sums[i] = _mm256_madd_epi16(sums[i], ones);
    return _mm256_add_epi32(_mm256_slli_epi32(_mm256_add_epi32(sums[0], sums[2]), 8),
                            _mm256_add_epi32(sums[1], sums[3]));
}

CK_AVX2 static uint32_t lead(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                             const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state, uint16_t *slots) {
    uint32_t found = 0, blocks = (segment->count + CK_SCAN_BLOCK - 1) / CK_SCAN_BLOCK;
    for (uint32_t block = 0; block < blocks; block++) {
        uint32_t lanes = ck_scan_lanes(segment->count, block), reached = 0;
        const uint8_t *bytes = segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES;
        const uint8_t *ahead = ck_scan_ahead(segment->lead, next, block, blocks);
        for (int line = 0; line < CK_SCAN_GROUPS; line++) __builtin_prefetch(ahead + 64 * line);
        for (int half = 0; half < 2; half++) {
            __m256i score = scores(bytes + 32 * half, digits);
            __m256i peak = _mm256_loadu_si256((const __m256i *)(state->peak_score + 8 * half));
            __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(floor), score);
            __m256i higher = _mm256_cmpgt_epi32(score, peak);
            reached |= (~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(below)) & 0xff) << (8 * half);
            uint32_t raised = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(higher));
            raised &= (lanes >> (8 * half)) & 0xff;
            if (__builtin_expect(raised != 0, 0)) {
                int32_t eight[8];
                _mm256_storeu_si256((__m256i *)eight, score);
                for (; raised; raised &= raised - 1) {
                    uint32_t lane = (uint32_t)__builtin_ctz(raised);
                    state->peak_score[8 * half + (int)lane] = eight[lane];
                    state->peak_slot[8 * half + (int)lane] =
                        base + block * CK_SCAN_BLOCK + 8 * (uint32_t)half + lane;
                }
            }
        }
        reached &= lanes;
        if (__builtin_expect(reached != 0, 0)) found = ck_scan_emit(segment, block, reached, slots, found);
    }
    return found;
}

CK_AVX2 static void lines(const uint8_t *lines, const uint16_t *slots, uint32_t count, const int16_t *weights,
                          int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const __m128i *line = (const __m128i *)(lines + (size_t)slots[i] * CK_SCAN_LINE_BYTES);
        __m256i sum = _mm256_setzero_si256();
        for (int j = 0; j < 4; j++) {
            __m256i codes = _mm256_cvtepi8_epi16(_mm_loadu_si128(line + j));
            __m256i by = _mm256_loadu_si256((const __m256i *)(weights + 16 * j));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(codes, by));
        }
        sums[i] = reduce(sum);
    }
}

CK_AVX2 static void vectors(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                            const int16_t *query, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const int16_t *vector = vectors + (size_t)slots[i] * stride;
        __m256i a = _mm256_setzero_si256(), b = a;
        if (i + 2 < count) {
            const int16_t *ahead = vectors + (size_t)slots[i + 2] * stride;
            for (uint32_t k = 0; k < stride && k < 1024; k += 32) __builtin_prefetch(ahead + k);
        }
        for (uint32_t k = 0; k < stride; k += 32) {
            const __m256i *x = (const __m256i *)(vector + k), *y = (const __m256i *)(query + k);
            a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_loadu_si256(x), _mm256_loadu_si256(y)));
            b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_loadu_si256(x + 1), _mm256_loadu_si256(y + 1)));
        }
        sums[i] = reduce(_mm256_add_epi32(a, b));
    }
}

const ck_scan_kernels ck_scan_kernels_avx2 = {
    lead, lines, vectors, ck_scan_avx2_dot, ck_scan_avx2_project, ck_scan_avx2_accumulate,
    ck_scan_avx2_quantise, ck_scan_avx2_encode,
};

#endif
