// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "ck_scan_kernels.h"

// Rounding of one fp32 operation, relative; a sum of n products is off by at most n of these.
#define ROUNDING 6e-8f
#define QUANTUM (1.0f / CK_SCAN_UNIT)
#define BATCH 64

const ck_scan_kernels *ck_scan_kernels_of(ck_isa isa) {
    switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX2: return &ck_scan_kernels_avx2;
    case CK_ISA_AVX512: return &ck_scan_kernels_avx512;
    case CK_ISA_AVX512VNNI: return &ck_scan_kernels_avx512vnni;
#elif defined(__aarch64__)
    case CK_ISA_NEON: return &ck_scan_kernels_neon;
#endif
    default: return &ck_scan_kernels_scalar;
    }
}

float ck_scan_put(ck_isa isa, ck_scan_segment *segment, uint32_t slot, const float *vector) {
    int16_t *out = segment->vectors + (size_t)slot * segment->stride;
    return ck_scan_kernels_of(isa)->quantise(vector, segment->dimension, segment->stride, out);
}

// Splits a weight into two signed digits of base 256.
static void put_weight(ck_scan_query *query, uint32_t b, int high_nibble, int32_t weight) {
    int32_t high = (weight + 128) >> 8, low = weight - high * 256;
    int32_t *group = query->digits[b / 4] + (high_nibble ? 2 : 0);
    uint32_t at = 8 * (b % 4);
    group[0] |= (int32_t)((uint32_t)(uint8_t)high << at);
    group[1] |= (int32_t)((uint32_t)(uint8_t)low << at);
}

// Weights of the lead's nibbles, as integers times `lead_scale`. Errors of the codes' weights are added to the offset;
// the lengths' weights are rounded up.
static void make_lead(ck_scan_query *query, const ck_scan_basis *basis, const float *leading, float length,
                      float rest) {
    double codes[CK_SCAN_LEAD], largest = 1e-9, offset = (double)rest * basis->tail_base;
    double tail = (double)rest * basis->tail_step, miss = (double)length * basis->miss_step;
    for (int j = 0; j < CK_SCAN_LEAD; j++) {
        codes[j] = (double)leading[j] * basis->step4[j];
        offset += (double)leading[j] * basis->low4[j];
        largest = fmax(largest, fabs(codes[j]));
    }
    largest = fmax(largest, 16 * fmax(tail, miss));
    double scale = largest / 32000;
    memset(query->digits, 0, sizeof query->digits);
    for (int j = 0; j < CK_SCAN_LEAD; j++) {
        int32_t weight = (int32_t)lrint(codes[j] / scale);
        put_weight(query, (uint32_t)(j % CK_SCAN_PAIRS), j >= CK_SCAN_PAIRS, weight);
        offset += 15 * fmax(0, codes[j] - scale * weight);
    }
    put_weight(query, CK_SCAN_TAIL_BYTE, 0, (int32_t)ceil(tail / scale));
    put_weight(query, CK_SCAN_TAIL_BYTE, 1, (int32_t)ceil(16 * tail / scale));
    put_weight(query, CK_SCAN_MISS_BYTE, 0, (int32_t)ceil(miss / scale));
    put_weight(query, CK_SCAN_MISS_BYTE, 1, (int32_t)ceil(16 * miss / scale));
    query->lead_scale = scale;
    query->lead_offset = offset;
}

static void make_line(ck_scan_query *query, const ck_scan_basis *basis, const float *leading, float length,
                      float rest) {
    double codes[CK_SCAN_LEAD], largest = 1e-9, offset = 0;
    for (int j = 0; j < CK_SCAN_LEAD; j++) {
        codes[j] = (double)leading[j] * basis->step8[j];
        offset += (double)leading[j] * basis->middle8[j];
        largest = fmax(largest, fabs(codes[j]));
    }
    double scale = largest / 32767;
    memset(query->line_weights, 0, sizeof query->line_weights);
    for (int j = 0; j < CK_SCAN_LEAD; j++) {
        query->line_weights[j] = (int16_t)lrint(codes[j] / scale);
        offset += 127 * fabs(codes[j] - scale * query->line_weights[j]);
    }
    query->line_scale = (float)scale;
    query->line_offset = (float)offset;
    query->line_tail = rest * CK_SCAN_LINE_LENGTH_STEP;
    query->line_miss = length * CK_SCAN_LINE_LENGTH_STEP;
}

void ck_scan_query_make(ck_isa isa, ck_scan_query *query, const float *vector, uint32_t dimension, float entry_error,
                        const ck_scan_basis *basis) {
    const ck_scan_kernels *kernels = ck_scan_kernels_of(isa);
    query->stride = (dimension + 31) / 32 * 32;
    query->has_basis = basis != NULL;
    float own_error = kernels->quantise(vector, dimension, query->stride, query->vector);
    float square = kernels->dot(vector, vector, dimension), norm = sqrtf(square);
    float arithmetic = ROUNDING * (float)dimension + 1e-6f;
    query->vector_miss = norm * entry_error * 1.001f + 1e-6f;
    query->error = query->vector_miss + own_error * (CK_SCAN_MAXIMUM_NORM + 1e-3f) + arithmetic;
    if (!basis) return;
    float leading[CK_SCAN_COLUMNS], length = 0;
    kernels->project(vector, 1, dimension, basis->columns, leading);
    for (int j = 0; j < CK_SCAN_LEAD; j++) length += leading[j] * leading[j];
    float lost = basis->slack + 3 * basis->projection_error;
    float rest = sqrtf((square > length ? square - length : 0) + lost);
    length = sqrtf(length) * 1.00001f + basis->projection_error;
    make_lead(query, basis, leading, length, rest);
    make_line(query, basis, leading, length, rest);
    float unsure = 2.2f * basis->projection_error + basis->slack + 4e-6f;
    query->lead_offset += unsure;
    query->line_offset += unsure;
}

void ck_scan_state_make(ck_scan_state *state) {
    memset(state, 0, sizeof *state);
    for (int i = 0; i < CK_SCAN_PEAKS; i++) state->peak_score[i] = INT32_MIN;
    state->nearest.similarity = -2;
}

// The least weighted sum whose upper bound reaches `least`.
static int32_t lead_floor(const ck_scan_query *query, double least) {
    double sum = floor((least - query->lead_offset) / query->lead_scale) - 1;
    if (!(sum > INT32_MIN)) return INT32_MIN;
    return sum < INT32_MAX ? (int32_t)sum : INT32_MAX;
}

// Keeps those slots whose line does not rule them out either.
static uint32_t keep_by_lines(const ck_scan_kernels *kernels, const ck_scan_segment *segment,
                              const ck_scan_query *query, float least, uint16_t *slots, uint32_t count) {
    int32_t sums[BATCH];
    uint32_t kept = 0;
    for (uint32_t at = 0; at < count; at += BATCH) {
        uint32_t n = count - at < BATCH ? count - at : BATCH;
        kernels->lines(segment->lines, slots + at, n, query->line_weights, sums);
        for (uint32_t i = 0; i < n; i++) {
            uint16_t slot = slots[at + i], lengths[2];
            memcpy(lengths, segment->lines + (size_t)slot * CK_SCAN_LINE_BYTES + CK_SCAN_LINE_TAIL, sizeof lengths);
            float bound = query->line_scale * (float)sums[i] + query->line_offset +
                          query->line_tail * (float)lengths[0] + query->line_miss * (float)lengths[1];
            if (bound < least) continue;
            __builtin_prefetch(segment->vectors + (size_t)slot * segment->stride);
            slots[kept++] = slot;
        }
    }
    return kept;
}

// What the vectors of some slots decide.
static uint32_t decide(const ck_scan_kernels *kernels, const ck_scan_segment *segment, uint32_t base,
                       const ck_scan_query *query, float least, int64_t now, const uint16_t *slots, uint32_t count,
                       ck_scan_state *state, ck_scan_hit *hits) {
    int32_t sums[BATCH];
    uint32_t found = 0;
    kernels->vectors(segment->vectors, segment->stride, slots, count, query->vector, sums);
    for (uint32_t i = 0; i < count; i++) {
        float similarity = (float)sums[i] * (QUANTUM * QUANTUM);
        if (similarity < least && similarity <= state->nearest.similarity) continue;
        if (segment->expiry[slots[i]] <= now) continue;
        ck_scan_hit hit = {base + slots[i], similarity};
        if (similarity > state->nearest.similarity) state->nearest = hit;
        if (similarity >= least) hits[found++] = hit;
    }
    return found;
}

uint32_t ck_scan_segment_hits(ck_isa isa, const ck_scan_segment *segment, const ck_scan_segment *next, uint32_t base,
                              const ck_scan_query *query, float floor, int64_t now, ck_scan_state *state,
                              ck_scan_hit *hits) {
    const ck_scan_kernels *kernels = ck_scan_kernels_of(isa);
    uint16_t slots[CK_SCAN_SEGMENT];
    uint32_t found = 0, count = segment->count;
    float least = floor - query->error;
    if (query->has_basis) {
        int32_t sum = lead_floor(query, (double)floor - query->vector_miss);
        count = kernels->lead(segment, next ? next->lead : NULL, base, query->digits, sum, state, slots);
        state->lines_read += count;
        count = keep_by_lines(kernels, segment, query, floor - query->vector_miss, slots, count);
    }
    state->vectors_read += count;
    for (uint32_t at = 0; at < count; at += BATCH) {
        uint32_t n = count - at < BATCH ? count - at : BATCH;
        if (!query->has_basis) {
            for (uint32_t i = 0; i < n; i++) slots[i] = (uint16_t)(at + i);
        }
        found += decide(kernels, segment, base, query, least, now, query->has_basis ? slots + at : slots, n, state,
                        hits + found);
    }
    return found;
}

float ck_scan_similarity(ck_isa isa, const ck_scan_segment *segment, uint32_t slot, const ck_scan_query *query) {
    uint16_t slots[1] = {(uint16_t)slot};
    int32_t sum;
    ck_scan_kernels_of(isa)->vectors(segment->vectors, segment->stride, slots, 1, query->vector, &sum);
    return (float)sum * (QUANTUM * QUANTUM);
}

float ck_dot_f32(ck_isa isa, const float *a, const float *b, size_t count) {
    return ck_scan_kernels_of(isa)->dot(a, b, count);
}
