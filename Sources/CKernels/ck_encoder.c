// SPDX-License-Identifier: Apache-2.0
// Making, checking and dispatching: what of the encoder does not depend on the instruction set.
#define _DEFAULT_SOURCE  // madvise
#include "ck_encoder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ck_encoder_model.h"

// Pages of 2 MiB spare the forward pass some 5,000 TLB misses.
#define HUGE_PAGE ((size_t)2 << 20)

void *ck_allocate(size_t bytes) {
    size_t whole = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *block = aligned_alloc(HUGE_PAGE, whole);
#if defined(MADV_HUGEPAGE)
    if (block) madvise(block, whole, MADV_HUGEPAGE);
#endif
    return block;
}

// MARK: - Layout

static void lay_out_norm(ck_arena *arena, ck_norm *norm) {
    norm->gain = ck_take(arena, CK_HIDDEN * sizeof(float));
    norm->bias = ck_take(arena, CK_HIDDEN * sizeof(float));
}

static void lay_out(ck_arena *arena, ck_encoder *encoder) {
    ck_encoder_precision precision = encoder->precision;
    for (int i = 0; i < CK_ENCODER_LAYERS; i++) {
        ck_layer *layer = &encoder->layers[i];
        ck_linear_lay_out(arena, &layer->qkv, CK_HIDDEN, CK_QKV, precision);
        ck_linear_lay_out(arena, &layer->attention_output, CK_HIDDEN, CK_HIDDEN, precision);
        ck_linear_lay_out(arena, &layer->expansion, CK_HIDDEN, CK_FEED_FORWARD, precision);
        ck_linear_lay_out(arena, &layer->contraction, CK_FEED_FORWARD, CK_HIDDEN, precision);
        lay_out_norm(arena, &layer->attention_norm);
        lay_out_norm(arena, &layer->output_norm);
    }
    lay_out_norm(arena, &encoder->embedding_norm);
    encoder->positions = ck_take(arena, (size_t)CK_TOKENS * CK_HIDDEN * sizeof(float));
    encoder->words = ck_take(arena, encoder->vocabulary * CK_HIDDEN * sizeof(float));
}

// MARK: - Interface

ck_encoder_status ck_encoder_create(const ck_encoder_tensors *tensors, ck_encoder_precision precision, ck_isa isa,
                                    ck_encoder **encoder) {
    *encoder = NULL;
    const ck_encoder_path *path = ck_encoder_path_for(isa);
    if (!path || !ck_isa_supported(isa)) return CK_ENCODER_UNSUPPORTED_ISA;
    // So that no size computed from it can overflow; ids are int32.
    if (tensors->vocabulary > INT32_MAX) return CK_ENCODER_BAD_TOKEN;
    ck_encoder *made = calloc(1, sizeof *made);
    if (!made) return CK_ENCODER_OUT_OF_MEMORY;
    made->precision = precision;
    made->forward = path->forward;
    made->vocabulary = tensors->vocabulary;
    ck_arena arena = {NULL, 0};
    lay_out(&arena, made);
    made->arena = ck_allocate(arena.used);
    if (!made->arena) {
        free(made);
        return CK_ENCODER_OUT_OF_MEMORY;
    }
    arena.base = made->arena;
    arena.used = 0;
    lay_out(&arena, made);
    if (!ck_encoder_pack(made, path, tensors)) {
        ck_encoder_destroy(made);
        return CK_ENCODER_BAD_WEIGHT;
    }
    *encoder = made;
    return CK_ENCODER_OK;
}

void ck_encoder_destroy(ck_encoder *encoder) {
    if (!encoder) return;
    free(encoder->arena);
    free(encoder);
}

static void lay_out_workspace(ck_arena *arena, ck_encoder_workspace *workspace) {
    const size_t row = (size_t)CK_TOKENS * sizeof(float);
    workspace->hidden = ck_take(arena, row * CK_HIDDEN);
    workspace->expanded = workspace->qkv = ck_take(arena, row * CK_QKV);
    workspace->context = ck_take(arena, row * CK_HIDDEN);
    workspace->update = ck_take(arena, row * CK_HIDDEN);
    workspace->quantised = ck_take(arena, (size_t)CK_TOKENS * CK_QUANTISED_BYTES);
    workspace->row_scale = ck_take(arena, row);
    workspace->row_zero = ck_take(arena, row);
    workspace->queries = ck_take(arena, row / 2 * CK_HEAD_WIDTH);
    workspace->keys = ck_take(arena, row * CK_HEAD_WIDTH);
    workspace->values = ck_take(arena, row / 2 * CK_HEAD_WIDTH);
    workspace->scores = ck_take(arena, row * CK_MAXIMUM_TILE_ROWS);
}

ck_encoder_workspace *ck_encoder_workspace_create(void) {
    ck_encoder_workspace *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    ck_arena arena = {NULL, 0};
    lay_out_workspace(&arena, made);
    made->block = ck_allocate(arena.used);
    if (!made->block) {
        free(made);
        return NULL;
    }
    memset(made->block, 0, arena.used);
    arena.base = made->block;
    arena.used = 0;
    lay_out_workspace(&arena, made);
    return made;
}

void ck_encoder_workspace_destroy(ck_encoder_workspace *workspace) {
    if (!workspace) return;
    free(workspace->block);
    free(workspace);
}

ck_encoder_status ck_encoder_encode(const ck_encoder *encoder, ck_encoder_workspace *workspace, const int32_t *ids,
                                    const int32_t *lengths, size_t count, float *vectors) {
    const int32_t *id = ids;
    for (size_t text = 0; text < count; text++) {
        if (lengths[text] < 1 || lengths[text] > CK_TOKENS) return CK_ENCODER_BAD_LENGTH;
        for (int32_t i = 0; i < lengths[text]; i++, id++) {
            if (*id < 0 || (size_t)*id >= encoder->vocabulary) return CK_ENCODER_BAD_TOKEN;
        }
    }
    // As many texts at a time as the workspace holds: their rows stay in the cache near the core, and the weights still
    // come from the far one only once for many rows.
    while (count > 0) {
        size_t texts = 0, tokens = 0;
        while (texts < count && tokens + (size_t)lengths[texts] <= CK_TOKENS) tokens += (size_t)lengths[texts++];
        if (!encoder->forward(encoder, workspace, ids, lengths, texts, vectors)) return CK_ENCODER_NO_DIRECTION;
        ids += tokens;
        lengths += texts;
        count -= texts;
        vectors += texts * CK_HIDDEN;
    }
    return CK_ENCODER_OK;
}
