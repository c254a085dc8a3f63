// SPDX-License-Identifier: Apache-2.0
// Making, checking and dispatching: everything of the encoder that does not depend on the instruction set.
#define _DEFAULT_SOURCE  // madvise
#include "ck_encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ck_encoder_model.h"

// Pages of 2 MiB spare the forward pass some 5,000 TLB misses.
#define HUGE_PAGE ((size_t)2 << 20)

// No trained weight comes near; with all weights below it no intermediate result can overflow fp32.
#define LARGEST_WEIGHT 1000.0f

// Hands out aligned pieces of a block, or only counts them while `base` is NULL.
typedef struct arena {
    char *base;
    size_t used;
} arena;

static void *take(arena *arena, size_t bytes) {
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += (bytes + 63) & ~(size_t)63;
    return piece;
}

static void *allocate(size_t bytes) {
    size_t whole = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *block = aligned_alloc(HUGE_PAGE, whole);
#if defined(MADV_HUGEPAGE)
    if (block) madvise(block, whole, MADV_HUGEPAGE);
#endif
    return block;
}

// MARK: - Layout

static void lay_out_linear(arena *arena, ck_linear *linear, size_t inputs, size_t outputs, int int16) {
    linear->inputs = inputs;
    linear->outputs = outputs;
    linear->panels = take(arena, inputs * outputs * (int16 ? 2 : 4));
    linear->scale = int16 ? take(arena, outputs * sizeof(float)) : NULL;
    linear->bias = take(arena, outputs * sizeof(float));
}

static void lay_out_norm(arena *arena, ck_norm *norm) {
    norm->gain = take(arena, CK_HIDDEN * sizeof(float));
    norm->bias = take(arena, CK_HIDDEN * sizeof(float));
}

static void lay_out(arena *arena, ck_encoder *encoder) {
    int int16 = encoder->precision == CK_ENCODER_INT16;
    for (int i = 0; i < CK_ENCODER_LAYERS; i++) {
        ck_layer *layer = &encoder->layers[i];
        lay_out_linear(arena, &layer->qkv, CK_HIDDEN, CK_QKV, int16);
        lay_out_linear(arena, &layer->attention_output, CK_HIDDEN, CK_HIDDEN, int16);
        lay_out_linear(arena, &layer->expansion, CK_HIDDEN, CK_FEED_FORWARD, int16);
        lay_out_linear(arena, &layer->contraction, CK_FEED_FORWARD, CK_HIDDEN, int16);
        lay_out_norm(arena, &layer->attention_norm);
        lay_out_norm(arena, &layer->output_norm);
    }
    lay_out_norm(arena, &encoder->embedding_norm);
    encoder->positions = take(arena, (size_t)CK_TOKENS * CK_HIDDEN * sizeof(float));
    encoder->words = take(arena, encoder->vocabulary * CK_HIDDEN * sizeof(float));
}

// MARK: - Packing

// Copies numbers; returns whether all are sound, which what is not a number is not.
static int copy(const float *to, const float *from, size_t count) {
    int sound = 1;
    for (size_t i = 0; i < count; i++) sound &= fabsf(from[i]) < LARGEST_WEIGHT;
    memcpy((float *)to, from, count * sizeof(float));
    return sound;
}

static int copy_norm(const ck_norm *to, const ck_encoder_norm *from) {
    return copy(to->gain, from->gain, CK_HIDDEN) & copy(to->bias, from->bias, CK_HIDDEN);
}

// The largest and the sum of the absolute weights of one output; returns whether all are sound.
static int measure(const float *row, size_t count, float *largest, double *sum) {
    float maxima[8] = {0};
    double sums[8] = {0};
    int sound = 1;
    for (size_t k = 0; k < count; k += 8) {  // eight chains, so that the compiler need not keep the order of one
        for (size_t j = 0; j < 8; j++) {
            float size = fabsf(row[k + j]);
            sound &= size < LARGEST_WEIGHT;
            maxima[j] = size > maxima[j] ? size : maxima[j];
            sums[j] += size;
        }
    }
    *largest = 0;
    *sum = 0;
    for (size_t j = 0; j < 8; j++) {
        *largest = fmaxf(*largest, maxima[j]);
        *sum += sums[j];
    }
    return sound;
}

// Packs one output as column `column` of `linear`, multiplied by `factor`.
static void pack_column(const ck_linear *linear, const ck_encoder_path *path, size_t column, const float *row,
                        float largest, double sum, float factor) {
    int int16 = linear->scale != NULL;
    size_t lanes = path->lanes, width = 2 * lanes, bytes = int16 ? 2 : 4;
    size_t vector = column % width / lanes, lane = column % lanes;
    // The finest scale for which no sum can leave int32: every activation is at most CK_ACTIVATION_LIMIT, and rounding
    // adds at most a half (and what single precision errs) to every weight.
    largest = fmaxf(largest, 1e-30f);
    double bound = (double)INT32_MAX / CK_ACTIVATION_LIMIT - 0.51 * (double)linear->inputs;
    float units = (float)fmin(floor(bound / (sum / largest)), INT16_MAX);
    float inverse = units / largest;
    if (int16) ((float *)linear->scale)[column] = largest / units * factor;
    for (size_t first = 0; first < linear->inputs; first += CK_SLICE, row += CK_SLICE) {
        char *panel = (char *)linear->panels + (first * linear->outputs + column / width * width * CK_SLICE) * bytes;
        if (!int16) {
            float *to = (float *)panel + vector * lanes + lane;
            for (size_t k = 0; k < CK_SLICE; k++, to += width) *to = row[k] * factor;
            continue;
        }
        int16_t *to = (int16_t *)panel + vector * width + (path->pairs_adjacent ? 2 * lane : lane);
        size_t second = path->pairs_adjacent ? 1 : lanes;
        for (size_t k = 0; k < CK_SLICE; k += 2, to += 2 * width) {
            // A number plus 1.5 * 2^23 holds the nearest integer in its low bits.
            float pair[2] = {row[k] * inverse + 12582912.0f, row[k + 1] * inverse + 12582912.0f};
            int32_t bits[2];
            memcpy(bits, pair, sizeof bits);
            to[0] = (int16_t)bits[0];
            to[second] = (int16_t)bits[1];
        }
    }
}

// Packs a matrix behind the `first` columns that are there already; returns whether all weights are sound.
static int pack(const ck_linear *linear, const ck_encoder_path *path, const ck_encoder_affine *from, size_t first,
                size_t outputs, float factor) {
    for (size_t n = 0; n < outputs; n++) {
        const float *row = from->weight + n * linear->inputs;
        float largest;
        double sum;
        if (!measure(row, linear->inputs, &largest, &sum) || !(fabsf(from->bias[n]) < LARGEST_WEIGHT)) return 0;
        pack_column(linear, path, first + n, row, largest, sum, factor);
        ((float *)linear->bias)[first + n] = from->bias[n] * factor;
    }
    return 1;
}

static int pack_all(const ck_encoder *encoder, const ck_encoder_path *path, const ck_encoder_tensors *tensors) {
    const float score_scale = 1.0f / sqrtf(CK_HEAD_WIDTH);  // what attention divides its scores by, put into the query
    int sound = 1;
    for (int i = 0; sound && i < CK_ENCODER_LAYERS; i++) {
        const ck_layer *layer = &encoder->layers[i];
        const ck_encoder_layer_tensors *from = &tensors->layers[i];
        sound = pack(&layer->qkv, path, &from->query, 0, CK_HIDDEN, score_scale) &&
                pack(&layer->qkv, path, &from->key, CK_HIDDEN, CK_HIDDEN, 1) &&
                pack(&layer->qkv, path, &from->value, 2 * CK_HIDDEN, CK_HIDDEN, 1) &&
                pack(&layer->attention_output, path, &from->attention_output, 0, CK_HIDDEN, 1) &&
                pack(&layer->expansion, path, &from->expansion, 0, CK_FEED_FORWARD, 1) &&
                pack(&layer->contraction, path, &from->contraction, 0, CK_HIDDEN, 1) &&
                copy_norm(&layer->attention_norm, &from->attention_norm) &&
                copy_norm(&layer->output_norm, &from->output_norm);
    }
    sound = sound && copy_norm(&encoder->embedding_norm, &tensors->embedding_norm) &&
            copy(encoder->words, tensors->word_embeddings, encoder->vocabulary * CK_HIDDEN);
    float *position = (float *)encoder->positions;
    for (size_t i = 0; sound && i < (size_t)CK_TOKENS * CK_HIDDEN; i++) {
        position[i] = tensors->position_embeddings[i] + tensors->type_embedding[i % CK_HIDDEN];
        sound = fabsf(position[i]) < LARGEST_WEIGHT;
    }
    return sound;
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
    arena arena = {NULL, 0};
    lay_out(&arena, made);
    made->arena = allocate(arena.used);
    if (!made->arena) {
        free(made);
        return CK_ENCODER_OUT_OF_MEMORY;
    }
    arena.base = made->arena;
    arena.used = 0;
    lay_out(&arena, made);
    if (!pack_all(made, path, tensors)) {
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

static void lay_out_workspace(arena *arena, ck_encoder_workspace *workspace) {
    const size_t row = (size_t)CK_TOKENS * sizeof(float);
    workspace->hidden = take(arena, row * CK_HIDDEN);
    workspace->expanded = workspace->qkv = take(arena, row * CK_QKV);
    workspace->context = take(arena, row * CK_HIDDEN);
    workspace->update = take(arena, row * CK_HIDDEN);
    workspace->quantised = take(arena, row / 2 * CK_QUANTISED_STRIDE);
    workspace->row_scale = take(arena, row);
    workspace->keys = take(arena, row * CK_HEAD_WIDTH);
    workspace->scores = take(arena, row * CK_MAXIMUM_TILE_ROWS);
}

ck_encoder_workspace *ck_encoder_workspace_create(void) {
    ck_encoder_workspace *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    arena arena = {NULL, 0};
    lay_out_workspace(&arena, made);
    made->block = allocate(arena.used);
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
