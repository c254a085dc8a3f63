// SPDX-License-Identifier: Apache-2.0
#if defined(__aarch64__)

#include <arm_neon.h>

#include "ck_scan_kernels.h"

#define CK_FLOAT(name) ck_scan_neon_##name
#define CK_FLOAT_TARGET
#define CK_FLOAT_TILE 1
#include "ck_scan_float.h"

// Scores of four entries, from four lead bytes of each per group. A nibble times a digit is at most 15 x 128, and the
// eight groups sum to at most 15,360 in 16 bits.
static inline int32x4_t scores(const uint8_t *bytes, const int32_t digits[CK_SCAN_GROUPS][4]) {
    const uint8x16_t nibble = vdupq_n_u8(15);
    int16x8_t first[4], second[4];
    for (int i = 0; i < 4; i++) first[i] = second[i] = vdupq_n_s16(0);
    for (int g = 0; g < CK_SCAN_GROUPS; g++) {
        uint8x16_t both = vld1q_u8(bytes + 64 * g);
        int8x16_t halves[2] = {vreinterpretq_s8_u8(vandq_u8(both, nibble)),
                               vreinterpretq_s8_u8(vshrq_n_u8(both, 4))};
        for (int i = 0; i < 4; i++) {
            int8x16_t by = vreinterpretq_s8_s32(vdupq_n_s32(digits[g][i]));
            first[i] = vmlal_s8(first[i], vget_low_s8(halves[i / 2]), vget_low_s8(by));
            second[i] = vmlal_s8(second[i], vget_high_s8(halves[i / 2]), vget_high_s8(by));
        }
    }
    int32x4_t sums[4];
    for (int i = 0; i < 4; i++) sums[i] = vpaddq_s32(vpaddlq_s16(first[i]), vpaddlq_s16(second[i]));
    return vaddq_s32(vshlq_n_s32(vaddq_s32(sums[0], sums[2]), 8), vaddq_s32(sums[1], sums[3]));
}

static uint32_t lead(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                     const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state, uint16_t *slots) {
    static const uint32_t bits[4] = {1, 2, 4, 8};
    const uint32x4_t bit = vld1q_u32(bits);
    uint32_t found = 0, blocks = (segment->count + CK_SCAN_BLOCK - 1) / CK_SCAN_BLOCK;
    for (uint32_t block = 0; block < blocks; block++) {
        uint32_t lanes = ck_scan_lanes(segment->count, block), reached = 0;
        const uint8_t *bytes = segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES;
        const uint8_t *ahead = ck_scan_ahead(segment->lead, next, block, blocks);
        for (int line = 0; line < CK_SCAN_GROUPS; line++) __builtin_prefetch(ahead + 64 * line);
        for (uint32_t quarter = 0; quarter < 4; quarter++) {
            int32x4_t score = scores(bytes + 16 * quarter, digits);
            uint32x4_t enough = vcgeq_s32(score, vdupq_n_s32(floor));
            uint32x4_t higher = vcgtq_s32(score, vld1q_s32(state->peak_score + 4 * quarter));
            reached |= vaddvq_u32(vandq_u32(enough, bit)) << (4 * quarter);
            uint32_t raised = vaddvq_u32(vandq_u32(higher, bit)) & (lanes >> (4 * quarter));
            if (__builtin_expect(raised != 0, 0)) {
                int32_t four[4];
                vst1q_s32(four, score);
                for (; raised; raised &= raised - 1) {
                    uint32_t lane = (uint32_t)__builtin_ctz(raised);
                    state->peak_score[4 * quarter + lane] = four[lane];
                    state->peak_slot[4 * quarter + lane] = base + block * CK_SCAN_BLOCK + 4 * quarter + lane;
                }
            }
        }
        reached &= lanes;
        if (__builtin_expect(reached != 0, 0)) found = ck_scan_emit(segment, block, reached, slots, found);
    }
    return found;
}

static void lines(const uint8_t *lines, const uint16_t *slots, uint32_t count, const int16_t *weights, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *line = lines + (size_t)slots[i] * CK_SCAN_LINE_BYTES;
        int32x4_t sum = vdupq_n_s32(0);
        for (int j = 0; j < CK_SCAN_LINE_BYTES; j += 8) {
            int16x8_t codes = vmovl_s8(vld1_s8((const int8_t *)line + j)), by = vld1q_s16(weights + j);
            sum = vmlal_s16(sum, vget_low_s16(codes), vget_low_s16(by));
            sum = vmlal_high_s16(sum, codes, by);
        }
        sums[i] = vaddvq_s32(sum);
    }
}

static void vectors(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                    const int16_t *query, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const int16_t *vector = vectors + (size_t)slots[i] * stride;
        int32x4_t a = vdupq_n_s32(0), b = a;
        for (uint32_t k = 0; k < stride; k += 8) {
            int16x8_t x = vld1q_s16(vector + k), y = vld1q_s16(query + k);
            a = vmlal_s16(a, vget_low_s16(x), vget_low_s16(y));
            b = vmlal_high_s16(b, x, y);
        }
        sums[i] = vaddvq_s32(vaddq_s32(a, b));
    }
}

const ck_scan_kernels ck_scan_kernels_neon = {
    lead, lines, vectors, ck_scan_neon_dot, ck_scan_neon_project, ck_scan_neon_accumulate,
    ck_scan_neon_quantise, ck_scan_neon_encode,
};

#endif
