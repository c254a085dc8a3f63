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
    CK_MAXIMUM_TILE_ROWS = 12,
    // Matrices are cut into slices of so many inputs: what a tile reads of its rows then stays in the first cache from
    // one panel to the next.
    CK_SLICE = 384,
    // Numbers from one quantised row to the next. A constant, so that the tile kernel needs no register for it; not a
    // multiple of 4 KiB, so that the rows of a tile do not fall on the same cache sets.
    CK_QUANTISED_STRIDE = CK_FEED_FORWARD + 32,
    // Activations are quantised to -4095...4095; the packing makes |sum| < 2^31 for every such input.
    CK_ACTIVATION_LIMIT = 4095,
};

// A matrix as slices of CK_SLICE inputs, each as panels of two vectors of columns. A panel holds, for each step, what
// the tile kernel reads in that step: two vectors of dwords, where a dword is one fp32 weight, or the int16 weights of
// two successive inputs.
typedef struct ck_linear {
    const char *panels;
    const float *scale;  // int16: what one unit of a column is worth
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
    int16_t *quantised;  // [256][CK_QUANTISED_STRIDE]
    float *row_scale;    // [256]: what one unit of a quantised row is worth
    float *keys;         // [32][256]: the keys of one head and text, transposed
    float *scores;       // [rows of a tile][256]
    void *block;         // owns all of the above
};

// One instruction set's forward pass and the layout that its tile kernel reads.
typedef struct ck_encoder_path {
    ck_forward *forward;
    size_t lanes;  // 32-bit numbers in a vector
    // Whether the two int16 weights of a dword are neighbours; otherwise all first ones of a vector come before all
    // second ones.
    int pairs_adjacent;
} ck_encoder_path;

// NULL when this build has no such path. Does not ask the CPU.
const ck_encoder_path *ck_encoder_path_for(ck_isa isa);

#endif
