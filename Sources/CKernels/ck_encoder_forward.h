// SPDX-License-Identifier: Apache-2.0
// The forward pass over vectors of CK_LANES numbers. ck_encoder_paths.c includes this text once for each instruction
// set, after having defined:
//
//   CK_PATH(name)      the name with the instruction set's suffix
//   CK_LANES           32-bit numbers in a vector: 4, 8 or 16
//   CK_TILE_ROWS       rows of a tile, such that 2 * CK_TILE_ROWS + 3 vectors fit the registers
//   CK_ADJACENT        whether the two int16 weights of a dword are neighbours; see ck_encoder_path
//   CK_DOT(sum, a, b)  sum + the products of the int16 pair `a` (a dword) with every pair of the vector `b`
//   CK_DOT_QUADS(sum, a, b)
//                      where there is an instruction for it: sum + the products of the four uint8 in the dword `a` with
//                      every four int8 of the vector `b`. Without one, int8 weights are widened to int16 on loading.

#include "ck_encoder_vectors.h"

// What the dwords of A and the vectors of B hold in a tile.
#define CK_FLOATS 0   // fp32 by fp32
#define CK_PAIRS 1    // two int16 by two int16
#define CK_WIDENED 2  // two int16 by two int8
#define CK_QUADS 3    // four uint8 by four int8
#ifdef CK_DOT_QUADS
#define CK_INT8 CK_QUADS
#else
#define CK_INT8 CK_WIDENED
#define CK_DOT_QUADS(sum, a, b) (sum)
#endif

// One vector of B as the product takes it.
CK_INLINE CK_INTEGERS CK_PATH(weights)(const int kind, const char *b) {
    if (kind != CK_WIDENED) return CK_LOAD_INTEGERS(b);
    return (CK_INTEGERS)__builtin_convertvector(*(const CK_PATH(loose_narrow) *)b, CK_HALVES);
}

CK_INLINE CK_INTEGERS CK_PATH(product)(const int kind, CK_INTEGERS sum, const char *a, CK_INTEGERS weights) {
    if (kind == CK_FLOATS) {
        CK_VECTOR factor = (CK_VECTOR) * (const ck_single *)a;
        return (CK_INTEGERS)((CK_VECTOR)sum + factor * (CK_VECTOR)weights);
    }
    int32_t inputs = *(const ck_dword *)a;
    return kind == CK_QUADS ? CK_DOT_QUADS(sum, inputs, weights) : CK_DOT(sum, inputs, weights);
}

// One tile of a product: `rows` rows of A by `vectors` vectors of columns of B, over `steps` dwords of each row.
// Strides are bytes; a `far` B is read ahead. C receives fp32, or the bare int32 sums: instead of what it held, or
// `adding` to it. `rows`, `vectors`, `kind` and `far` are known where this is expanded, so the sums live in registers.
CK_INLINE void CK_PATH(tile)(const int rows, const int vectors, const int kind, const int far, const int adding,
                             const char *a, const size_t a_stride, const char *b, const size_t b_stride,
                             const size_t steps, char *c, const size_t c_stride) {
    CK_INTEGERS sums[CK_TILE_ROWS][2];
    const size_t vector_bytes = kind == CK_WIDENED ? 2 * CK_LANES : 4 * CK_LANES;
    CK_UNROLL for (int r = 0; r < rows; r++) {
        const char *from = c + (size_t)r * c_stride;
        sums[r][0] = adding ? CK_LOAD_INTEGERS(from) : (CK_INTEGERS)0;
        sums[r][1] = adding && vectors == 2 ? CK_LOAD_INTEGERS(from + 4 * CK_LANES) : (CK_INTEGERS)0;
    }
    for (size_t step = 0; step < steps; step++, a += 4, b += b_stride) {
        CK_INTEGERS first = CK_PATH(weights)(kind, b);
        CK_INTEGERS second = vectors == 2 ? CK_PATH(weights)(kind, b + vector_bytes) : first;
        if (far) CK_PREFETCH(b, 2 * (int)vector_bytes);
        CK_UNROLL for (int r = 0; r < rows; r++) {
            const char *inputs = a + (size_t)r * a_stride;
            sums[r][0] = CK_PATH(product)(kind, sums[r][0], inputs, first);
            if (vectors == 2) sums[r][1] = CK_PATH(product)(kind, sums[r][1], inputs, second);
        }
    }
    CK_UNROLL for (int r = 0; r < rows; r++) {
        char *to = c + (size_t)r * c_stride;
        CK_STORE_INTEGERS(to, sums[r][0]);
        if (vectors == 2) CK_STORE_INTEGERS(to + 4 * CK_LANES, sums[r][1]);
    }
}

#define CK_TILE_CASE(n) \
    case n: \
        if (n <= CK_TILE_ROWS) CK_PATH(tile)(n <= CK_TILE_ROWS ? n : 1, CK_TILE_ARGUMENTS); \
        break;
#define CK_TILE_CASES \
    switch (rows) { \
        CK_TILE_CASE(1) CK_TILE_CASE(2) CK_TILE_CASE(3) CK_TILE_CASE(4) CK_TILE_CASE(5) CK_TILE_CASE(6) \
        CK_TILE_CASE(7) CK_TILE_CASE(8) CK_TILE_CASE(9) CK_TILE_CASE(10) CK_TILE_CASE(11) CK_TILE_CASE(12) \
        CK_TILE_CASE(13) CK_TILE_CASE(14) \
    }

static void CK_PATH(tile_int16)(int rows, int adding, const char *a, const char *b, char *c, size_t c_stride) {
#define CK_TILE_ARGUMENTS 2, CK_PAIRS, 1, adding, a, CK_QUANTISED_BYTES, b, 8 * CK_LANES, CK_SLICE / 2, c, c_stride
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

static void CK_PATH(tile_int8)(int rows, int adding, const char *a, const char *b, char *c, size_t c_stride) {
#define CK_INT8_GROUP (CK_INT8 == CK_QUADS ? 4 : 2)
#define CK_TILE_ARGUMENTS \
    2, CK_INT8, 1, adding, a, CK_QUANTISED_BYTES, b, 2 * CK_LANES * CK_INT8_GROUP, CK_SLICE / CK_INT8_GROUP, c, c_stride
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

static void CK_PATH(tile_fp32)(int rows, int adding, const char *a, size_t a_stride, const char *b, char *c,
                               size_t c_stride) {
#define CK_TILE_ARGUMENTS 2, CK_FLOATS, 1, adding, a, a_stride, b, 8 * CK_LANES, CK_SLICE, c, c_stride
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

// Turns the sums of a tile into outputs, in place.
CK_INLINE void CK_PATH(finish_tile)(const ck_encoder_precision precision, const ck_linear *linear, size_t column,
                                    int rows, const float *row_scale, const int32_t *row_zero, const int gelu,
                                    float *c) {
    for (size_t half = 0; half < 2; half++, column += CK_LANES, c += CK_LANES) {
        CK_VECTOR bias = CK_LOAD(linear->bias + column), scale = bias;
        CK_INTEGERS column_sum = (CK_INTEGERS)0;
        if (precision != CK_ENCODER_FP32) scale = CK_LOAD(linear->scale + column);
        if (precision == CK_ENCODER_INT8) column_sum = CK_LOAD_INTEGERS(linear->column_sums + column);
        for (int r = 0; r < rows; r++) {
            float *at = c + (size_t)r * linear->outputs;
            CK_VECTOR v = CK_LOAD(at);
            if (precision == CK_ENCODER_FP32) {
                v = v + bias;
            } else {
                CK_INTEGERS sum = (CK_INTEGERS)v;
                if (precision == CK_ENCODER_INT8) sum -= column_sum * row_zero[r];
                v = __builtin_convertvector(sum, CK_VECTOR) * (scale * row_scale[r]) + bias;
            }
            CK_STORE(at, gelu ? CK_PATH(gelu)(v) : v);
        }
    }
}

// outputs = inputs by the matrix, plus the bias. `inputs` are the rows themselves for fp32; otherwise those that
// `quantise` left are taken.
CK_INLINE void CK_PATH(apply_as)(const ck_encoder_precision precision, const ck_linear *linear,
                                 const ck_encoder_workspace *workspace, const float *inputs, size_t tokens, int gelu,
                                 float *outputs) {
    const int quantised = precision != CK_ENCODER_FP32;
    // Bytes of one input in a row, and of one weight.
    const size_t size = !quantised ? 4 : precision == CK_ENCODER_INT8 && CK_INT8 == CK_QUADS ? 1 : 2;
    const size_t weight_size = !quantised ? 4 : precision == CK_ENCODER_INT8 ? 1 : 2;
    const char *rows_start = quantised ? workspace->quantised : (const char *)inputs;
    size_t input_stride = quantised ? CK_QUANTISED_BYTES : 4 * linear->inputs;
    size_t blocks = (tokens + CK_TILE_ROWS - 1) / CK_TILE_ROWS, height = (tokens + blocks - 1) / blocks;
    size_t output_stride = linear->outputs * 4;
    const char *panel = linear->panels;
    for (size_t first = 0; first < linear->inputs; first += CK_SLICE) {
        int adding = first > 0, last = first + CK_SLICE == linear->inputs;
        for (size_t column = 0; column < linear->outputs; column += 2 * CK_LANES) {
            for (size_t token = 0; token < tokens; token += height) {
                int rows = (int)(tokens - token < height ? tokens - token : height);
                const char *a = rows_start + token * input_stride + first * size;
                float *c = outputs + token * linear->outputs + column;
                if (precision == CK_ENCODER_INT8) CK_PATH(tile_int8)(rows, adding, a, panel, (char *)c, output_stride);
                else if (quantised) CK_PATH(tile_int16)(rows, adding, a, panel, (char *)c, output_stride);
                else CK_PATH(tile_fp32)(rows, adding, a, input_stride, panel, (char *)c, output_stride);
                if (!last) continue;
                const float *scale = workspace->row_scale + token;
                const int32_t *zero = workspace->row_zero + token;
                if (gelu) CK_PATH(finish_tile)(precision, linear, column, rows, scale, zero, 1, c);
                else CK_PATH(finish_tile)(precision, linear, column, rows, scale, zero, 0, c);
            }
            panel += CK_SLICE * 2 * CK_LANES * weight_size;
        }
    }
}

static void CK_PATH(apply)(const ck_encoder *encoder, const ck_linear *linear, const ck_encoder_workspace *workspace,
                           const float *inputs, size_t tokens, int gelu, float *outputs) {
    switch (encoder->precision) {
    case CK_ENCODER_FP32:
        CK_PATH(apply_as)(CK_ENCODER_FP32, linear, workspace, inputs, tokens, gelu, outputs);
        break;
    case CK_ENCODER_INT16:
        CK_PATH(apply_as)(CK_ENCODER_INT16, linear, workspace, inputs, tokens, gelu, outputs);
        break;
    case CK_ENCODER_INT8:
        CK_PATH(apply_as)(CK_ENCODER_INT8, linear, workspace, inputs, tokens, gelu, outputs);
        break;
    }
}

// Quantises one row to -CK_ACTIVATION_LIMIT...CK_ACTIVATION_LIMIT.
static void CK_PATH(quantise_int16)(const float *row, size_t width, char *quantised, float *row_scale) {
    int16_t *to = (int16_t *)quantised;
    CK_VECTOR largest = (CK_VECTOR)0.0f, largest_too = largest;
    for (size_t k = 0; k < width; k += 2 * CK_LANES) {
        CK_VECTOR v = CK_LOAD(row + k), w = CK_LOAD(row + k + CK_LANES);
        v = CK_LARGER(v, -v);
        w = CK_LARGER(w, -w);
        largest = CK_LARGER(largest, v);
        largest_too = CK_LARGER(largest_too, w);
    }
    float limit = CK_PATH(largest)(CK_LARGER(largest, largest_too));
    limit = CK_LARGER(limit, 1e-30f);  // a row of zeros
    *row_scale = limit / CK_ACTIVATION_LIMIT;
    float factor = CK_ACTIVATION_LIMIT / limit;
    for (size_t k = 0; k < width; k += CK_LANES) CK_STORE_SHORTS(to + k, CK_PATH(rounded)(CK_LOAD(row + k) * factor));
}

// Quantises one row to 0...255, where `row_zero` stands for zero: to bytes where four are multiplied at a time, else to
// int16.
static void CK_PATH(quantise_int8)(const float *row, size_t width, char *quantised, float *row_scale,
                                   int32_t *row_zero) {
    CK_VECTOR largest = (CK_VECTOR)0.0f, largest_too = largest, smallest = largest, smallest_too = largest;
    for (size_t k = 0; k < width; k += 2 * CK_LANES) {
        CK_VECTOR v = CK_LOAD(row + k), w = CK_LOAD(row + k + CK_LANES);
        largest = CK_LARGER(largest, v);
        largest_too = CK_LARGER(largest_too, w);
        smallest = CK_SMALLER(smallest, v);
        smallest_too = CK_SMALLER(smallest_too, w);
    }
    // Zero is between them, so that it has a number of its own.
    float high = CK_PATH(largest)(CK_LARGER(largest, largest_too));
    float low = -CK_PATH(largest)(-CK_SMALLER(smallest, smallest_too));
    float range = CK_LARGER(high - low, 1e-30f);
    float factor = 255.0f / range;
    float below = -low * factor;  // apart from the sum, or else some targets would fuse the two and others not
    int32_t zero = (int32_t)(below + 0.5f);
    *row_scale = range / 255.0f;
    *row_zero = zero;
    for (size_t k = 0; k < width; k += CK_LANES) {
        CK_INTEGERS v = CK_PATH(rounded)(CK_LOAD(row + k) * factor) + zero;
        v = CK_LARGER(v, (CK_INTEGERS)0);  // both ends may be rounded outwards
        v = CK_SMALLER(v, (CK_INTEGERS)255);
#if CK_INT8 == CK_QUADS
        CK_STORE_BYTES(quantised + k, v);
#else
        CK_STORE_SHORTS(quantised + 2 * k, v);
#endif
    }
}

// Quantises rows for the next `apply`; for fp32 there is nothing to do.
static void CK_PATH(quantise)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const float *rows,
                              size_t first, size_t end, size_t width) {
    if (encoder->precision == CK_ENCODER_FP32) return;
    for (size_t i = first; i < end; i++) {
        const float *row = rows + i * width;
        char *to = workspace->quantised + i * CK_QUANTISED_BYTES;
        if (encoder->precision == CK_ENCODER_INT16) {
            CK_PATH(quantise_int16)(row, width, to, workspace->row_scale + i);
        } else {
            CK_PATH(quantise_int8)(row, width, to, workspace->row_scale + i, workspace->row_zero + i);
        }
    }
}

static void CK_PATH(multiply)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const ck_linear *linear,
                              const float *rows, size_t tokens, float *outputs) {
    CK_PATH(quantise)(encoder, workspace, rows, 0, tokens, linear->inputs);
    CK_PATH(apply)(encoder, linear, workspace, rows, tokens, 0, outputs);
}

// hidden = norm(hidden + update), then quantised.
static void CK_PATH(normalise)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const ck_norm *norm,
                               const float *update, size_t tokens) {
    for (size_t i = 0; i < tokens; i++) {
        float *row = workspace->hidden + i * CK_HIDDEN;
        CK_VECTOR sum = (CK_VECTOR)0.0f, sum_too = sum;
        for (size_t k = 0; k < CK_HIDDEN; k += 2 * CK_LANES) {
            CK_VECTOR v = CK_LOAD(row + k), w = CK_LOAD(row + k + CK_LANES);
            if (update) {
                v += CK_LOAD(update + i * CK_HIDDEN + k);
                w += CK_LOAD(update + i * CK_HIDDEN + k + CK_LANES);
                CK_STORE(row + k, v);
                CK_STORE(row + k + CK_LANES, w);
            }
            sum += v;
            sum_too += w;
        }
        float mean = CK_PATH(sum)(sum + sum_too) / CK_HIDDEN;
        sum = sum_too = (CK_VECTOR)0.0f;
        for (size_t k = 0; k < CK_HIDDEN; k += 2 * CK_LANES) {
            CK_VECTOR v = CK_LOAD(row + k) - mean, w = CK_LOAD(row + k + CK_LANES) - mean;
            sum = v * v + sum;
            sum_too = w * w + sum_too;
        }
        float variance = CK_PATH(sum)(sum + sum_too) / CK_HIDDEN;
        float factor = 1.0f / sqrtf(variance + 1e-12f);
        for (size_t k = 0; k < CK_HIDDEN; k += CK_LANES) {
            CK_VECTOR v = (CK_LOAD(row + k) - mean) * factor;
            CK_STORE(row + k, v * CK_LOAD(norm->gain + k) + CK_LOAD(norm->bias + k));
        }
        CK_PATH(quantise)(encoder, workspace, workspace->hidden, i, i + 1, CK_HIDDEN);
    }
}

#include "ck_encoder_attention.h"

// The sum of a text's rows, made unit length. The mean differs only by a factor.
static int CK_PATH(pool)(const float *rows, size_t length, float *vector) {
    CK_VECTOR squares = (CK_VECTOR)0.0f;
    for (size_t k = 0; k < CK_HIDDEN; k += CK_LANES) {
        CK_VECTOR sum = CK_LOAD(rows + k);
        for (size_t i = 1; i < length; i++) sum += CK_LOAD(rows + i * CK_HIDDEN + k);
        CK_STORE(vector + k, sum);
        squares += sum * sum;
    }
    float square = CK_PATH(sum)(squares);
    if (!(square > 1e-24f)) return 0;
    float factor = 1.0f / sqrtf(square);
    for (size_t k = 0; k < CK_HIDDEN; k += CK_LANES) CK_STORE(vector + k, CK_LOAD(vector + k) * factor);
    return 1;
}

static void CK_PATH(look_up)(const ck_encoder *encoder, const int32_t *ids, const int32_t *lengths, size_t count,
                             float *hidden) {
    for (size_t text = 0; text < count; text++) {
        for (size_t i = 0; i < (size_t)lengths[text]; i++, ids++, hidden += CK_HIDDEN) {
            const float *word = encoder->words + (size_t)*ids * CK_HIDDEN;
            const float *position = encoder->positions + i * CK_HIDDEN;
            for (size_t k = 0; k < CK_HIDDEN; k += CK_LANES)
                CK_STORE(hidden + k, CK_LOAD(word + k) + CK_LOAD(position + k));
        }
    }
}

static int CK_PATH(forward)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const int32_t *ids,
                            const int32_t *lengths, size_t count, float *vectors) {
    size_t tokens = 0;
    for (size_t text = 0; text < count; text++) tokens += (size_t)lengths[text];

    CK_PATH(look_up)(encoder, ids, lengths, count, workspace->hidden);
    CK_PATH(normalise)(encoder, workspace, &encoder->embedding_norm, NULL, tokens);
    for (size_t i = 0; i < CK_ENCODER_LAYERS; i++) {
        const ck_layer *layer = &encoder->layers[i];
        CK_PATH(apply)(encoder, &layer->qkv, workspace, workspace->hidden, tokens, 0, workspace->qkv);
        for (size_t text = 0, first = 0; text < count; first += (size_t)lengths[text], text++) {
            CK_PATH(attend)(encoder, workspace, workspace->qkv + first * CK_QKV, (size_t)lengths[text],
                            workspace->context + first * CK_HIDDEN);
        }
        CK_PATH(multiply)(encoder, workspace, &layer->attention_output, workspace->context, tokens, workspace->update);
        CK_PATH(normalise)(encoder, workspace, &layer->attention_norm, workspace->update, tokens);
        CK_PATH(apply)(encoder, &layer->expansion, workspace, workspace->hidden, tokens, 1, workspace->expanded);
        CK_PATH(multiply)(encoder, workspace, &layer->contraction, workspace->expanded, tokens, workspace->update);
        CK_PATH(normalise)(encoder, workspace, &layer->output_norm, workspace->update, tokens);
    }
    int sound = 1;
    for (size_t text = 0, first = 0; text < count; first += (size_t)lengths[text], text++) {
        sound &= CK_PATH(pool)(workspace->hidden + first * CK_HIDDEN, (size_t)lengths[text],
                               vectors + text * CK_HIDDEN);
    }
    return sound;
}

#undef CK_VECTOR
#undef CK_INTEGERS
#undef CK_SHORTS
#undef CK_BYTES
#undef CK_HALVES
#undef CK_LOAD
#undef CK_STORE
#undef CK_LOAD_INTEGERS
#undef CK_STORE_INTEGERS
#undef CK_STORE_SHORTS
#undef CK_STORE_BYTES
#undef CK_LARGER
#undef CK_SMALLER
#undef CK_QUARTER
#undef CK_SUM
#undef CK_ROUNDER
#undef CK_ROUNDER_BITS
#undef CK_FLOATS
#undef CK_PAIRS
#undef CK_WIDENED
#undef CK_QUADS
#undef CK_INT8
#undef CK_INT8_GROUP
#undef CK_DOT_QUADS
#undef CK_TILE_CASE
#undef CK_TILE_CASES
