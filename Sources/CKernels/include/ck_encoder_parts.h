// SPDX-License-Identifier: Apache-2.0
#ifndef CK_ENCODER_PARTS_H
#define CK_ENCODER_PARTS_H

#include "ck_encoder.h"

// Two parts of the forward pass by themselves, through the very kernels that it runs: for tests with numbers that no
// trained model has, and for measurements.

// result[tokens][outputs] = rows[tokens][inputs] by the matrix, plus the bias. `inputs` and `outputs` are
// CK_ENCODER_DIMENSIONS or CK_ENCODER_FEED_FORWARD, `tokens` is 1 to CK_ENCODER_MAXIMUM_TOKENS. Returns
// CK_ENCODER_BAD_LENGTH when they are not, and whatever ck_encoder_create does.
ck_encoder_status ck_encoder_multiply(ck_encoder_precision precision, ck_isa isa, const ck_encoder_affine *matrix,
                                      size_t inputs, size_t outputs, const float *rows, size_t tokens, float *result);

// Attention of 12 heads within one text. `qkv` is [tokens][3 * 384]: query, key and value of each token, the scores'
// divisor already in the query. `context` receives [tokens][384].
ck_encoder_status ck_encoder_attend(ck_encoder_precision precision, ck_isa isa, const float *qkv, size_t tokens,
                                    float *context);

#endif
