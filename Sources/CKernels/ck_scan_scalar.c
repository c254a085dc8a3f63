// SPDX-License-Identifier: Apache-2.0
// The reference path: plain C, whatever the machine.

#include "ck_scan_kernels.h"

#define CK_FLOAT(name) ck_scan_scalar_##name
#define CK_FLOAT_TARGET
#define CK_FLOAT_TILE 1
#include "ck_scan_float.h"

static int32_t digit(const int32_t *weights, int at) {
    return (int8_t)((uint32_t)*weights >> (8 * at));
}

static uint32_t lead(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                     const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state, uint16_t *slots) {
    (void)next;
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < segment->count; slot++) {
        uint32_t block = slot / CK_SCAN_BLOCK, lane = slot % CK_SCAN_BLOCK;
        const uint8_t *bytes = segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES;
        int32_t high = 0, low = 0;
        for (uint32_t b = 0; b < CK_SCAN_LEAD_BYTES; b++) {
            const int32_t *group = digits[b / 4];
            int32_t byte = bytes[ck_scan_lead_offset(lane, b)], at = (int32_t)(b % 4);
            high += (byte & 15) * digit(&group[0], at) + (byte >> 4) * digit(&group[2], at);
            low += (byte & 15) * digit(&group[1], at) + (byte >> 4) * digit(&group[3], at);
        }
        int32_t score = high * 256 + low;
        if (score > state->peak_score[lane]) {
            state->peak_score[lane] = score;
            state->peak_slot[lane] = base + slot;
        }
        if (score >= floor) found = ck_scan_emit(segment, block, 1u << lane, slots, found);
    }
    return found;
}

static void lines(const uint8_t *lines, const uint16_t *slots, uint32_t count, const int16_t *weights, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *line = lines + (size_t)slots[i] * CK_SCAN_LINE_BYTES;
        int32_t sum = 0;
        for (int j = 0; j < CK_SCAN_LEAD; j++) sum += (int32_t)(int8_t)line[j] * weights[j];
        sums[i] = sum;
    }
}

static void vectors(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                    const int16_t *query, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        const int16_t *vector = vectors + (size_t)slots[i] * stride;
        int32_t sum = 0;
        for (uint32_t k = 0; k < stride; k++) sum += (int32_t)vector[k] * query[k];
        sums[i] = sum;
    }
}

const ck_scan_kernels ck_scan_kernels_scalar = {
    lead, lines, vectors, ck_scan_scalar_dot, ck_scan_scalar_project, ck_scan_scalar_accumulate,
    ck_scan_scalar_quantise, ck_scan_scalar_encode,
};
