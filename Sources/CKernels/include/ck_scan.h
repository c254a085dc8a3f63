// SPDX-License-Identifier: Apache-2.0
#ifndef CK_SCAN_H
#define CK_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "ck_isa.h"

// Exact nearest-above-a-threshold scan over unit vectors.
//
// An entry is kept three times, each copy finer than the one before, and the scan reads a finer one only where the
// coarser one cannot rule the entry out:
//
//   lead     32 bytes  60 leading coordinates in 4 bits each, and the lengths of what they leave out
//   line     64 bytes  the same coordinates in 8 bits, one cache line
//   vector   2 bytes a dimension, the whole vector in steps of 1/32767
//
// "Leading" is by a basis of orthonormal rows P learnt from the data. With q1 = Pq and q2 the rest of q,
//
//   q.x <= q1.c + |q1| |x1 - c| + |q2| |x2|
//
// for whatever code c stands for x1; every quantity left out or rounded is added to the right-hand side, so an entry
// is dropped only if it provably lies below the threshold. What the last copy lets through is decided by the caller in
// fp32: hits come with an error bound, and no entry at or above the threshold is ever missing.
//
// Vectors must be finite and no longer than CK_SCAN_MAXIMUM_NORM; the caller normalises them. No function here locks:
// a segment may be scanned by many threads at once, but not while one writes to it.

#define CK_SCAN_MAXIMUM_DIMENSION 4096
#define CK_SCAN_MAXIMUM_NORM 1.01f
#define CK_SCAN_UNIT 32767        // a quantised component of 1
#define CK_SCAN_LEAD 60           // leading coordinates kept; the basis has CK_SCAN_COLUMNS, the last of them unused
#define CK_SCAN_COLUMNS 64
#define CK_SCAN_BLOCK 16          // entries whose lead bytes are interleaved
#define CK_SCAN_LEAD_BYTES 32
#define CK_SCAN_LINE_BYTES 64
#define CK_SCAN_SEGMENT 16384     // most entries of a segment
#define CK_SCAN_LEAD_SEGMENT 2048 // segments of at least this capacity have room for lead and line
#define CK_SCAN_GROUPS 8          // groups of four lead bytes
#define CK_SCAN_PEAKS 16

// Up to CK_SCAN_SEGMENT entries, in parallel arrays ("planes").
typedef struct ck_scan_segment {
    uint32_t capacity;
    uint32_t count;
    uint32_t dimension;
    uint32_t stride;   // int16 components from one vector to the next, the last ones zero
    uint8_t *lead;     // NULL below CK_SCAN_LEAD_SEGMENT
    uint8_t *lines;    // NULL below CK_SCAN_LEAD_SEGMENT
    int16_t *vectors;
    int64_t *expiry;   // milliseconds; an entry is live while its expiry is greater than now
    int64_t *rows;     // the caller's
    uint64_t *ids;     // the caller's, two words an entry
    int64_t *created;  // the caller's: milliseconds
    uint64_t *clusters;  // the caller's, two words an entry
    uint32_t *lists;   // the caller's: the number of what else is known of an entry
    uint32_t *uses;    // the caller's: when an entry was last used; by ck_scan_note_use and ck_scan_last_use
    void *memory;      // of all planes but the lead
    size_t bytes;
} ck_scan_segment;

// Makes an empty segment, or answers 0 if there is no memory. Large ones ask for huge pages.
int ck_scan_segment_make(ck_scan_segment *segment, uint32_t dimension, uint32_t capacity);
void ck_scan_segment_free(ck_scan_segment *segment);
// Memory of all planes.
size_t ck_scan_segment_bytes(const ck_scan_segment *segment);
// Moves the entries, at most `capacity`, to another allocation; on 0 (no memory) the segment is as before.
int ck_scan_segment_resize(ck_scan_segment *segment, uint32_t capacity);
// Overwrites one entry, in every plane, by another one, which may be in another segment of the same dimension.
void ck_scan_segment_copy(ck_scan_segment *to, uint32_t to_slot, const ck_scan_segment *from, uint32_t from_slot);

// Reads and writes an element of `uses`. Threads that scan the segment may do both at once; the last one wins.
static inline void ck_scan_note_use(uint32_t *use, uint32_t time) { __atomic_store_n(use, time, __ATOMIC_RELAXED); }
static inline uint32_t ck_scan_last_use(const uint32_t *use) { return __atomic_load_n(use, __ATOMIC_RELAXED); }

// The leading basis and the steps of the codes.
typedef struct ck_scan_basis {
    uint32_t dimension;
    float *columns;                // dimension x CK_SCAN_COLUMNS: row k is what dimension k adds to each coordinate
    float low4[CK_SCAN_COLUMNS];   // coordinate of 4-bit code 0, and the step
    float step4[CK_SCAN_COLUMNS];
    float middle8[CK_SCAN_COLUMNS];  // coordinate of 8-bit code 0, and the step
    float step8[CK_SCAN_COLUMNS];
    float tail_base, tail_step;    // length outside the basis = base + step * byte
    float miss_step;               // length of the code's error = step * byte
    float projection_error;        // length of the rounding error of a projection
    float slack;                   // what the basis lacks in orthonormality
} ck_scan_basis;

// Learns a basis from `count` quantised vectors by subspace iteration, or answers NULL if there is no memory.
ck_scan_basis *ck_scan_basis_learn(ck_isa isa, const int16_t *const *vectors, uint32_t count, uint32_t dimension);
void ck_scan_basis_free(ck_scan_basis *basis);
size_t ck_scan_basis_bytes(const ck_scan_basis *basis);
// How many vectors of a dimension are worth learning from.
uint32_t ck_scan_basis_sample(uint32_t dimension);

// Quantises a vector into a slot and answers the length of what rounding took away. Lead and line stay as they were.
float ck_scan_put(ck_isa isa, ck_scan_segment *segment, uint32_t slot, const float *vector);
// Writes lead and line of `count` entries from `first` on, from their quantised vectors.
void ck_scan_encode(ck_isa isa, ck_scan_segment *segment, uint32_t first, uint32_t count, const ck_scan_basis *basis);

// A query made ready for scanning one index.
typedef struct ck_scan_query {
    int32_t digits[CK_SCAN_GROUPS][4];  // four weights each: low nibbles' high and low digit, high nibbles' likewise
    int16_t line_weights[CK_SCAN_COLUMNS];
    int16_t vector[CK_SCAN_MAXIMUM_DIMENSION];
    uint32_t stride;
    int has_basis;
    double lead_scale, lead_offset;      // upper bound = offset + scale * weighted sum of the lead's nibbles
    float line_scale, line_offset, line_miss, line_tail;
    float vector_miss;                   // what an entry's own quantisation can add to a similarity
    float error;                         // |similarity - approximation by the int16 vectors|, at most
} ck_scan_query;

// `entry_error` is the largest answer of ck_scan_put among the entries to be scanned; `basis` may be NULL.
void ck_scan_query_make(ck_isa isa, ck_scan_query *query, const float *vector, uint32_t dimension, float entry_error,
                        const ck_scan_basis *basis);

typedef struct ck_scan_hit {
    uint32_t slot;
    float similarity;  // by the int16 vectors: true within the query's error
} ck_scan_hit;

// What a scan has learnt over all segments; made by ck_scan_state_make.
typedef struct ck_scan_state {
    int32_t peak_score[CK_SCAN_PEAKS];  // greatest upper bounds met, and whose they were
    uint32_t peak_slot[CK_SCAN_PEAKS];
    ck_scan_hit nearest;                // among the live entries whose vector was read; similarity -2 for none
    uint64_t lines_read, vectors_read;
} ck_scan_state;

void ck_scan_state_make(ck_scan_state *state);

// Finds every live entry of the segment whose similarity may be `floor` or more. Slots in hits and state are counted
// from `base`, the segment's first. `next` is the segment to be scanned after this one, or NULL; its memory is asked
// for early. `hits` has room for the segment's count. Answers the number of hits.
uint32_t ck_scan_segment_hits(ck_isa isa, const ck_scan_segment *segment, const ck_scan_segment *next, uint32_t base,
                              const ck_scan_query *query, float floor, int64_t now, ck_scan_state *state,
                              ck_scan_hit *hits);

// The int16 approximation of one entry's similarity.
float ck_scan_similarity(ck_isa isa, const ck_scan_segment *segment, uint32_t slot, const ck_scan_query *query);

// Dot product in fp32, for the last word on a candidate.
float ck_dot_f32(ck_isa isa, const float *a, const float *b, size_t count);

#endif
