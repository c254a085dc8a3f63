// SPDX-License-Identifier: Apache-2.0
#ifndef CK_ENCODER_H
#define CK_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "ck_isa.h"

// The forward pass of all-MiniLM-L6-v2: token ids to one vector of unit length per text, with mean pooling.

#define CK_ENCODER_DIMENSIONS 384
#define CK_ENCODER_FEED_FORWARD 1536
#define CK_ENCODER_LAYERS 6
// Tokens of one text, [CLS] and [SEP] among them. The model was trained to 256, though its position table has 512 rows.
#define CK_ENCODER_MAXIMUM_TOKENS 256

typedef enum ck_encoder_precision {
    CK_ENCODER_FP32 = 0,   // the reference
    CK_ENCODER_INT16 = 1,  // activations of 13 bits by weights of up to 16: half the bytes, vectors interchangeable
    CK_ENCODER_INT8 = 2,   // activations and weights of 8 bits: a quarter of the bytes, vectors of their own
} ck_encoder_precision;

typedef enum ck_encoder_status {
    CK_ENCODER_OK = 0,
    CK_ENCODER_OUT_OF_MEMORY = 1,
    CK_ENCODER_UNSUPPORTED_ISA = 2,  // this CPU, or this build, has no such path
    CK_ENCODER_BAD_WEIGHT = 3,       // a weight is not a number, or so large that sums could overflow
    CK_ENCODER_BAD_LENGTH = 4,       // a text has no token or more than the maximum
    CK_ENCODER_BAD_TOKEN = 5,        // an id is negative or not in the vocabulary
    CK_ENCODER_NO_DIRECTION = 6,     // the result has length zero: the weights cannot be those of a trained model
} ck_encoder_status;

// `weight` is [outputs][inputs] as in the file, `bias` is [outputs]. All pointers need only the alignment of a float.
typedef struct ck_encoder_affine {
    const float *weight;
    const float *bias;
} ck_encoder_affine;

typedef struct ck_encoder_norm {
    const float *gain;
    const float *bias;
} ck_encoder_norm;

typedef struct ck_encoder_layer_tensors {
    ck_encoder_affine query, key, value;  // 384 to 384
    ck_encoder_affine attention_output;   // 384 to 384
    ck_encoder_norm attention_norm;
    ck_encoder_affine expansion;    // 384 to 1536
    ck_encoder_affine contraction;  // 1536 to 384
    ck_encoder_norm output_norm;
} ck_encoder_layer_tensors;

typedef struct ck_encoder_tensors {
    const float *word_embeddings;  // [vocabulary][384]
    size_t vocabulary;
    const float *position_embeddings;  // at least [CK_ENCODER_MAXIMUM_TOKENS][384]
    const float *type_embedding;       // [384]: that of the first segment
    ck_encoder_norm embedding_norm;
    const ck_encoder_layer_tensors *layers;  // [CK_ENCODER_LAYERS]
} ck_encoder_tensors;

// Weights, packed for one instruction set. Never written after it was made: any number of threads may share it.
typedef struct ck_encoder ck_encoder;

// What one call needs besides the weights, 3.3 MB. Not to be used by two calls at once.
typedef struct ck_encoder_workspace ck_encoder_workspace;

// Copies and packs the weights, so that the tensors may be unmapped afterwards: 58 MB for int8, 68 MB for int16, 89 MB
// for fp32. On success `*encoder` is to be destroyed by the caller, otherwise it is NULL.
ck_encoder_status ck_encoder_create(const ck_encoder_tensors *tensors, ck_encoder_precision precision, ck_isa isa,
                                    ck_encoder **encoder);
void ck_encoder_destroy(ck_encoder *encoder);

// NULL when memory is short.
ck_encoder_workspace *ck_encoder_workspace_create(void);
void ck_encoder_workspace_destroy(ck_encoder_workspace *workspace);

// Encodes `count` texts. `lengths` holds the tokens of each, `ids` the ids of all texts one behind the other with no
// padding, `vectors` receives [count][384]. All input is checked before the first text is computed. A vector does not
// depend on the other texts of the batch, not even in its last bit.
ck_encoder_status ck_encoder_encode(const ck_encoder *encoder, ck_encoder_workspace *workspace, const int32_t *ids,
                                    const int32_t *lengths, size_t count, float *vectors);

#endif
