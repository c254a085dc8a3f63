// SPDX-License-Identifier: Apache-2.0
#ifndef CK_SCAN_KERNELS_H
#define CK_SCAN_KERNELS_H

#include "ck_scan.h"

// What each instruction set supplies. All integer sums are exact and therefore equal on every path.
typedef struct ck_scan_kernels {
    // Appends to `slots` the entries whose weighted nibble sum is at least `floor`, asks for their lines, and raises
    // the peaks of lane (slot mod CK_SCAN_PEAKS). Answers how many it appended. `next`, where there is one, is the lead
    // that will be read after this one.
    uint32_t (*lead)(const ck_scan_segment *segment, const uint8_t *next, uint32_t base,
                     const int32_t digits[CK_SCAN_GROUPS][4], int32_t floor, ck_scan_state *state, uint16_t *slots);
    // Weighted sums of the 8-bit codes of some entries.
    void (*lines)(const uint8_t *lines, const uint16_t *slots, uint32_t count, const int16_t *weights, int32_t *sums);
    // Dot products of the int16 vectors of some entries.
    void (*vectors)(const int16_t *vectors, uint32_t stride, const uint16_t *slots, uint32_t count,
                    const int16_t *query, int32_t *sums);
    float (*dot)(const float *a, const float *b, size_t count);
    // out = rows x columns: `count` rows of `dimension` by dimension x CK_SCAN_COLUMNS.
    void (*project)(const float *rows, size_t count, size_t dimension, const float *columns, float *out);
    // sums += rows transposed x factors: dimension x CK_SCAN_COLUMNS.
    void (*accumulate)(const float *rows, size_t count, size_t dimension, const float *factors, float *sums);
    // int16 components, zeros up to the stride; answers the length of what rounding took away.
    float (*quantise)(const float *vector, uint32_t dimension, uint32_t stride, int16_t *out);
    // Lead and line of one entry from its leading coordinates and the square of its length.
    void (*encode)(const ck_scan_basis *basis, const float *leading, float squared_norm, uint8_t lead[32],
                   uint8_t line[64]);
} ck_scan_kernels;

extern const ck_scan_kernels ck_scan_kernels_scalar;
#if defined(__x86_64__)
extern const ck_scan_kernels ck_scan_kernels_avx2;
extern const ck_scan_kernels ck_scan_kernels_avx512;
extern const ck_scan_kernels ck_scan_kernels_avx512vnni;
#elif defined(__aarch64__)
extern const ck_scan_kernels ck_scan_kernels_neon;
#endif

const ck_scan_kernels *ck_scan_kernels_of(ck_isa isa);

// The entry `lane` of a block keeps byte b of its lead at this offset from the block's start.
static inline size_t ck_scan_lead_offset(uint32_t lane, uint32_t b) {
    return (size_t)(b / 4) * (4 * CK_SCAN_BLOCK) + (size_t)lane * 4 + b % 4;
}

// Lead bytes 0..<30 hold coordinate b in the low and b + 30 in the high nibble; then the two lengths.
#define CK_SCAN_PAIRS (CK_SCAN_LEAD / 2)
#define CK_SCAN_TAIL_BYTE 30
#define CK_SCAN_MISS_BYTE 31
// A line holds a code a byte, then the same two lengths in steps of 1/32768.
#define CK_SCAN_LINE_TAIL 60
#define CK_SCAN_LINE_MISS 62
#define CK_SCAN_LINE_LENGTH_STEP (1.0f / 32768)

#define CK_SCAN_BLOCK_BYTES (CK_SCAN_BLOCK * CK_SCAN_LEAD_BYTES)

// Blocks between the one being read and the one being asked for. The processor's own prefetching and reordering hide
// too little: without this, the arithmetic and the memory take turns (measured at 1.5 to 2.5 times the time).
#define CK_SCAN_AHEAD 32

// The block to ask for while `block` of `blocks` is read; may lie outside the segment, where a prefetch does nothing.
static inline __attribute__((always_inline)) const uint8_t *ck_scan_ahead(const uint8_t *lead, const uint8_t *next,
                                                                          uint32_t block, uint32_t blocks) {
    uint32_t ahead = block + CK_SCAN_AHEAD;
    if (next && ahead >= blocks) return next + (size_t)(ahead - blocks) * CK_SCAN_BLOCK_BYTES;
    return lead + (size_t)ahead * CK_SCAN_BLOCK_BYTES;
}

// Appends the entries of a block that `mask` names and asks for their lines.
static inline uint32_t ck_scan_emit(const ck_scan_segment *segment, uint32_t block, uint32_t mask, uint16_t *slots,
                                    uint32_t found) {
    while (mask) {
        uint32_t slot = block * CK_SCAN_BLOCK + (uint32_t)__builtin_ctz(mask);
        __builtin_prefetch(segment->lines + (size_t)slot * CK_SCAN_LINE_BYTES);
        slots[found++] = (uint16_t)slot;
        mask &= mask - 1;
    }
    return found;
}

// The lanes of a block that hold entries.
static inline uint32_t ck_scan_lanes(uint32_t count, uint32_t block) {
    uint32_t left = count - block * CK_SCAN_BLOCK;
    return left >= CK_SCAN_BLOCK ? 0xffff : (1u << left) - 1;
}

#endif
