// SPDX-License-Identifier: Apache-2.0
// What the parts of the encoder share: the packed model, the workspace, and one forward pass per instruction set.
#ifndef CK_ENCODER_MODEL_H
#define CK_ENCODER_MODEL_H

#include "ck_encoder.h"

enum {
    CK_HIDDEN = CK_ENCODER_DIMENSIONS,
    CK_FEED_FORWARD = CK_ENCODER_FEED_FORWARD,
    CK_HEADS = 12,
    CK_HEAD_WIDTH = CK_HIDDEN / CK_HEADS,
    CK_QKV = 3 * CK_HIDDEN,  // query, key and value of a token, one behind the other
    CK_TOKENS = CK_ENCODER_MAXIMUM_TOKENS,
    CK_MAXIMUM_TILE_ROWS = 14,
    // Matrices are cut into slices of so many inputs: what a tile reads of its rows then stays in the first cache from
    // one panel to the next.
    CK_SLICE = 384,
    // Bytes from one quantised row to the next. A constant, so that the tile kernel needs no register for it; not a
    // multiple of 4 KiB, so that the rows of a tile do not fall on the same cache sets.
    CK_QUANTISED_BYTES = 2 * (CK_FEED_FORWARD + 32),
    // int16: activations are quantised to -4095...4095; the packing makes |sum| < 2^31 for every such input.
    //
    // int8: activations 0...255 by weights -127...127. |sum| <= 1536 * 255 * 127, and what is taken off for the zero
    // point is no more than that again: both together stay under 2^27.
    CK_ACTIVATION_LIMIT = 4095,
    CK_INT8_WEIGHT_LIMIT = 127,
    // Attention: queries and keys to -8191...8191, of which 32 products are 2,146,959,392 < 2^31; values to
    // -4095...4095, by non-negative weights whose sum is at most CK_WEIGHT_SUM and a half for each of 256, rounding
    // errors of single precision not counted: (520,000 + 128) * 4095 < 0.992 * 2^31.
    CK_HEAD_LIMIT = 8191,
    CK_WEIGHT_SUM = 520000,
};

// A matrix as slices of CK_SLICE inputs, each as panels of two vectors of columns. A panel holds, for each step, what
// the tile kernel reads in that step: two vectors of columns with the weights of one or more successive inputs, which
// is one for fp32, two for int16, and two or four for int8.
typedef struct ck_linear {
    const char *panels;
    const float *scale;          // of a quantised matrix: what one unit of a column is worth
    const int32_t *column_sums;  // int8: of the packed weights
    const float *bias;
    size_t inputs, outputs;
} ck_linear;

typedef struct ck_norm {
    const float *gain, *bias;
} ck_norm;

typedef struct ck_layer {
    ck_linear qkv, attention_output, expansion, contraction;
    ck_norm attention_norm, output_norm;
} ck_layer;

// Encodes texts of at most CK_TOKENS tokens together. Returns whether all vectors have a direction.
typedef int ck_forward(const ck_encoder *encoder, ck_encoder_workspace *workspace, const int32_t *ids,
                       const int32_t *lengths, size_t count, float *vectors);

struct ck_encoder {
    ck_encoder_precision precision;
    ck_forward *forward;
    size_t vocabulary;
    const float *words;      // [vocabulary][384]
    const float *positions;  // [256][384], with the type embedding added
    ck_norm embedding_norm;
    ck_layer layers[CK_ENCODER_LAYERS];
    void *arena;  // owns all of the above
};

// Rows are tokens. `expanded` may lie over `qkv` and `context`, which are dead by then.
struct ck_encoder_workspace {
    float *hidden;       // [256][384]
    float *qkv;          // [256][1152]
    float *context;      // [256][384]
    float *expanded;     // [256][1536]
    float *update;       // [256][384], what a block adds to `hidden`
    char *quantised;     // [256][CK_QUANTISED_BYTES]: int16, or bytes
    float *row_scale;    // [256]: what one unit of a quantised row is worth
    int32_t *row_zero;   // [256]: int8: what stands for zero
    int16_t *queries;    // [256][32]: those of one head and text, quantised
    float *keys;         // [32][256]: the keys of one head and text, transposed; [16][256] pairs of int16
    int32_t *values;     // [128][32]: the values of one head and text, pairs of int16
    float *scores;       // [rows of a tile][256]
    void *block;         // owns all of the above
};

// Quantises rows and multiplies them; `encoder` says only the precision.
typedef void ck_multiply(const ck_encoder *encoder, ck_encoder_workspace *workspace, const ck_linear *linear,
                         const float *rows, size_t tokens, float *outputs);

// Attention within one text: `qkv` and `context` start at its first token.
typedef void ck_attend(const ck_encoder *encoder, ck_encoder_workspace *workspace, const float *qkv, size_t length,
                       float *context);

// One instruction set's forward pass and the layout that its tile kernel reads.
typedef struct ck_encoder_path {
    ck_forward *forward;
    ck_multiply *multiply;
    ck_attend *attend;
    size_t lanes;  // 32-bit numbers in a vector
    // Whether the weights of a column are neighbours; otherwise all first ones of a vector come before all second ones.
    int adjacent;
    size_t int8_inputs;  // successive inputs that are multiplied at a time: 2 or 4
} ck_encoder_path;

// Hands out aligned pieces of a block, or only counts them while `base` is NULL.
typedef struct ck_arena {
    char *base;
    size_t used;
} ck_arena;

static inline void *ck_take(ck_arena *arena, size_t bytes) {
    void *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += (bytes + 63) & ~(size_t)63;
    return piece;
}

// Bytes of one packed weight.
static inline size_t ck_weight_size(ck_encoder_precision precision) {
    return precision == CK_ENCODER_FP32 ? 4 : precision == CK_ENCODER_INT16 ? 2 : 1;
}

// Whole pages, on large ones where there are any; to be freed with `free`. NULL when memory is short.
void *ck_allocate(size_t bytes);

void ck_linear_lay_out(ck_arena *arena, ck_linear *linear, size_t inputs, size_t outputs,
                       ck_encoder_precision precision);

// Packs a matrix behind the `first` columns that are there already; returns whether all weights are sound.
int ck_linear_pack(const ck_encoder *encoder, const ck_linear *linear, const ck_encoder_path *path,
                   const ck_encoder_affine *from, size_t first, size_t outputs, float factor);

// Packs everything; returns whether all weights are sound.
int ck_encoder_pack(const ck_encoder *encoder, const ck_encoder_path *path, const ck_encoder_tensors *tensors);

// NULL when this build has no such path. Does not ask the CPU.
const ck_encoder_path *ck_encoder_path_for(ck_isa isa);

#endif
