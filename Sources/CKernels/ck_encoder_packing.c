// SPDX-License-Identifier: Apache-2.0
// Weights as the tile kernels read them. Packing the whole model takes some 30 ms, so it is done at every start: packed
// weights on disk would save less than the check that they are still those of this file and this CPU.
#include <math.h>
#include <string.h>

#include "ck_encoder_model.h"

// No trained weight comes near; with all weights below it no intermediate result can overflow fp32.
#define LARGEST_WEIGHT 1000.0f

void ck_linear_lay_out(ck_arena *arena, ck_linear *linear, size_t inputs, size_t outputs,
                       ck_encoder_precision precision) {
    linear->inputs = inputs;
    linear->outputs = outputs;
    linear->panels = ck_take(arena, inputs * outputs * ck_weight_size(precision));
    linear->scale = precision == CK_ENCODER_FP32 ? NULL : ck_take(arena, outputs * sizeof(float));
    linear->column_sums = precision == CK_ENCODER_INT8 ? ck_take(arena, outputs * sizeof(int32_t)) : NULL;
    linear->bias = ck_take(arena, outputs * sizeof(float));
}

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

// The largest integer that a weight of one output becomes.
static float finest(ck_encoder_precision precision, size_t inputs, float largest, double sum) {
    if (precision == CK_ENCODER_INT8) return CK_INT8_WEIGHT_LIMIT;
    // The finest scale for which no sum can leave int32: every activation is at most CK_ACTIVATION_LIMIT, and rounding
    // adds at most a half (and what single precision errs) to every weight.
    double bound = (double)INT32_MAX / CK_ACTIVATION_LIMIT - 0.51 * (double)inputs;
    return (float)fmin(floor(bound / (sum / largest)), INT16_MAX);
}

// A number plus 1.5 * 2^23 holds the nearest integer in its low bits.
static int32_t rounded(float number) {
    float shifted = number + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4B400000;
}

// Packs one output as column `column` of `linear`, multiplied by `factor`.
static void pack_column(const ck_encoder *encoder, const ck_linear *linear, const ck_encoder_path *path, size_t column,
                        const float *row, float largest, double sum, float factor) {
    const ck_encoder_precision precision = encoder->precision;
    const size_t lanes = path->lanes, width = 2 * lanes, bytes = ck_weight_size(precision);
    // Successive inputs that a vector holds together, and how far apart in it.
    const size_t group = precision == CK_ENCODER_FP32 ? 1 : precision == CK_ENCODER_INT16 ? 2 : path->int8_inputs;
    const size_t next = path->adjacent ? 1 : lanes, vector = column % width / lanes, lane = column % lanes;
    const size_t place = vector * lanes * group + (path->adjacent ? lane * group : lane);
    largest = fmaxf(largest, 1e-30f);
    const float units = finest(precision, linear->inputs, largest, sum), inverse = units / largest;
    int32_t total = 0;
    for (size_t first = 0; first < linear->inputs; first += CK_SLICE, row += CK_SLICE) {
        char *panel = (char *)linear->panels + (first * linear->outputs + column / width * width * CK_SLICE) * bytes;
        for (size_t k = 0, at = place; k < CK_SLICE; k += group, at += width * group) {
            for (size_t i = 0; i < group; i++) {
                if (precision == CK_ENCODER_FP32) {
                    ((float *)panel)[at + i * next] = row[k + i] * factor;
                    continue;
                }
                int32_t weight = rounded(row[k + i] * inverse);
                if (precision == CK_ENCODER_INT16) ((int16_t *)panel)[at + i * next] = (int16_t)weight;
                else ((int8_t *)panel)[at + i * next] = (int8_t)weight;
                total += weight;
            }
        }
    }
    if (linear->scale) ((float *)linear->scale)[column] = largest / units * factor;
    if (linear->column_sums) ((int32_t *)linear->column_sums)[column] = total;
}

int ck_linear_pack(const ck_encoder *encoder, const ck_linear *linear, const ck_encoder_path *path,
                   const ck_encoder_affine *from, size_t first, size_t outputs, float factor) {
    for (size_t n = 0; n < outputs; n++) {
        const float *row = from->weight + n * linear->inputs;
        float largest;
        double sum;
        if (!measure(row, linear->inputs, &largest, &sum) || !(fabsf(from->bias[n]) < LARGEST_WEIGHT)) return 0;
        pack_column(encoder, linear, path, first + n, row, largest, sum, factor);
        ((float *)linear->bias)[first + n] = from->bias[n] * factor;
    }
    return 1;
}

int ck_encoder_pack(const ck_encoder *encoder, const ck_encoder_path *path, const ck_encoder_tensors *tensors) {
    const float score_scale = 1.0f / sqrtf(CK_HEAD_WIDTH);  // what attention divides its scores by, put into the query
    int sound = 1;
    for (int i = 0; sound && i < CK_ENCODER_LAYERS; i++) {
        const ck_layer *layer = &encoder->layers[i];
        const ck_encoder_layer_tensors *from = &tensors->layers[i];
        sound = ck_linear_pack(encoder, &layer->qkv, path, &from->query, 0, CK_HIDDEN, score_scale) &&
                ck_linear_pack(encoder, &layer->qkv, path, &from->key, CK_HIDDEN, CK_HIDDEN, 1) &&
                ck_linear_pack(encoder, &layer->qkv, path, &from->value, 2 * CK_HIDDEN, CK_HIDDEN, 1) &&
                ck_linear_pack(encoder, &layer->attention_output, path, &from->attention_output, 0, CK_HIDDEN, 1) &&
                ck_linear_pack(encoder, &layer->expansion, path, &from->expansion, 0, CK_FEED_FORWARD, 1) &&
                ck_linear_pack(encoder, &layer->contraction, path, &from->contraction, 0, CK_HIDDEN, 1) &&
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
