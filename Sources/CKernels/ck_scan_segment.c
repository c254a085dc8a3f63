// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ck_scan_kernels.h"

#define HUGE_PAGE ((size_t)2 << 20)

// Memory of a large segment comes from the kernel directly, so that it goes back there when the segment goes, and on
// huge pages if the segment is full-sized: the scan's few random reads otherwise miss the address cache every time.
static void *allocate(size_t bytes, int huge) {
    if (bytes < HUGE_PAGE) return aligned_alloc(64, bytes);
    size_t asked = bytes + HUGE_PAGE;
    uint8_t *all = mmap(NULL, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)all % HUGE_PAGE) % HUGE_PAGE;
    if (before) munmap(all, before);
    if (before < HUGE_PAGE) munmap(all + before + bytes, HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
    if (huge) madvise(all + before, bytes, MADV_HUGEPAGE);
#else
    (void)huge;
#endif
    return all + before;
}

static void release(void *memory, size_t bytes) {
    if (bytes < HUGE_PAGE) {
        free(memory);
    } else {
        munmap(memory, bytes);
    }
}

int ck_scan_segment_make(ck_scan_segment *segment, uint32_t dimension, uint32_t capacity) {
    size_t n = capacity, stride = (dimension + 31) / 32 * 32;
    int has_lead = capacity >= CK_SCAN_LEAD_SEGMENT && capacity % CK_SCAN_BLOCK == 0;
    size_t line_bytes = has_lead ? CK_SCAN_LINE_BYTES : 0;
    size_t entry_bytes = line_bytes + stride * sizeof(int16_t) + 3 * sizeof(int64_t) + 4 * sizeof(uint64_t) +
                         2 * sizeof(uint32_t);
    size_t bytes = n * entry_bytes;
    size_t unit = bytes < HUGE_PAGE ? 64 : 4096;
    bytes = (bytes + unit - 1) / unit * unit;
    // The lead is apart, on small pages. Together with the rest it would always lie at the start of a huge page, and
    // the leads of all segments would compete for the same quarter of the last-level cache.
    uint8_t *lead = has_lead ? aligned_alloc(64, n * CK_SCAN_LEAD_BYTES) : NULL;
    uint8_t *memory = allocate(bytes, capacity == CK_SCAN_SEGMENT);
    if (!memory || (has_lead && !lead)) {
        free(lead);
        if (memory) release(memory, bytes);
        return 0;
    }
    int16_t *vectors = (int16_t *)(void *)(memory + n * line_bytes);
    int64_t *expiry = (int64_t *)(void *)(vectors + n * stride);
    uint64_t *ids = (uint64_t *)(expiry + 3 * n);
    uint32_t *lists = (uint32_t *)(void *)(ids + 4 * n);
    *segment = (ck_scan_segment){
        .capacity = capacity,
        .dimension = dimension,
        .stride = (uint32_t)stride,
        .lead = lead,
        .lines = has_lead ? memory : NULL,
        .vectors = vectors,
        .expiry = expiry,
        .rows = expiry + n,
        .ids = ids,
        .created = expiry + 2 * n,
        .clusters = ids + 2 * n,
        .lists = lists,
        .uses = lists + n,
        .memory = memory,
        .bytes = bytes,
    };
    return 1;
}

void ck_scan_segment_free(ck_scan_segment *segment) {
    free(segment->lead);
    release(segment->memory, segment->bytes);
    memset(segment, 0, sizeof *segment);
}

size_t ck_scan_segment_bytes(const ck_scan_segment *segment) {
    return segment->bytes + (segment->lead ? (size_t)segment->capacity * CK_SCAN_LEAD_BYTES : 0);
}

int ck_scan_segment_resize(ck_scan_segment *segment, uint32_t capacity) {
    ck_scan_segment other;
    if (!ck_scan_segment_make(&other, segment->dimension, capacity)) return 0;
    size_t n = segment->count;
    other.count = segment->count;
    if (segment->lead && other.lead) {
        size_t blocks = (n + CK_SCAN_BLOCK - 1) / CK_SCAN_BLOCK;
        memcpy(other.lead, segment->lead, blocks * CK_SCAN_BLOCK_BYTES);
        memcpy(other.lines, segment->lines, n * CK_SCAN_LINE_BYTES);
    }
    memcpy(other.vectors, segment->vectors, n * segment->stride * sizeof(int16_t));
    memcpy(other.expiry, segment->expiry, n * sizeof(int64_t));
    memcpy(other.rows, segment->rows, n * sizeof(int64_t));
    memcpy(other.ids, segment->ids, n * 2 * sizeof(uint64_t));
    memcpy(other.created, segment->created, n * sizeof(int64_t));
    memcpy(other.clusters, segment->clusters, n * 2 * sizeof(uint64_t));
    memcpy(other.lists, segment->lists, n * sizeof(uint32_t));
    memcpy(other.uses, segment->uses, n * sizeof(uint32_t));
    ck_scan_segment_free(segment);
    *segment = other;
    return 1;
}

static uint8_t *lead_of(const ck_scan_segment *segment, uint32_t slot) {
    return segment->lead + (size_t)(slot / CK_SCAN_BLOCK) * CK_SCAN_BLOCK_BYTES +
           ck_scan_lead_offset(slot % CK_SCAN_BLOCK, 0);
}

void ck_scan_segment_copy(ck_scan_segment *to, uint32_t to_slot, const ck_scan_segment *from, uint32_t from_slot) {
    if (to->lead && from->lead) {
        uint8_t *target = lead_of(to, to_slot);
        const uint8_t *source = lead_of(from, from_slot);
        for (int g = 0; g < CK_SCAN_GROUPS; g++) {
            memcpy(target + g * 4 * CK_SCAN_BLOCK, source + g * 4 * CK_SCAN_BLOCK, 4);
        }
        memcpy(to->lines + (size_t)to_slot * CK_SCAN_LINE_BYTES, from->lines + (size_t)from_slot * CK_SCAN_LINE_BYTES,
               CK_SCAN_LINE_BYTES);
    }
    memcpy(to->vectors + (size_t)to_slot * to->stride, from->vectors + (size_t)from_slot * from->stride,
           to->stride * sizeof(int16_t));
    to->expiry[to_slot] = from->expiry[from_slot];
    to->rows[to_slot] = from->rows[from_slot];
    memcpy(to->ids + 2 * (size_t)to_slot, from->ids + 2 * (size_t)from_slot, 2 * sizeof(uint64_t));
    to->created[to_slot] = from->created[from_slot];
    memcpy(to->clusters + 2 * (size_t)to_slot, from->clusters + 2 * (size_t)from_slot, 2 * sizeof(uint64_t));
    to->lists[to_slot] = from->lists[from_slot];
    to->uses[to_slot] = from->uses[from_slot];
}
