// SPDX-License-Identifier: Apache-2.0
// Attention within one text; a part of ck_encoder_forward.h, which see. Once in fp32, which is the reference, and once
// in int16 for the quantised precisions: twice the products per instruction, at 256 tokens a third less time.

// For attention: B is any matrix of rows that are near.
static void CK_PATH(tile_floats)(int rows, int vectors, const float *a, size_t a_stride, const float *b,
                                 size_t b_stride, size_t steps, float *c, size_t c_stride) {
#define CK_TILE_OPERANDS (const char *)a, a_stride * 4, (const char *)b, b_stride * 4, steps, (char *)c, c_stride * 4
#define CK_TILE_ARGUMENTS 2, CK_FLOATS, 0, 0, CK_TILE_OPERANDS
    if (vectors == 2) {
        CK_TILE_CASES
        return;
    }
#undef CK_TILE_ARGUMENTS
#define CK_TILE_ARGUMENTS 1, CK_FLOATS, 0, 0, CK_TILE_OPERANDS
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

// The strides are those of dwords, each a pair.
static void CK_PATH(tile_pairs)(int rows, int vectors, const int32_t *a, size_t a_stride, const int32_t *b,
                                size_t b_stride, size_t steps, float *c, size_t c_stride) {
#define CK_TILE_ARGUMENTS 2, CK_PAIRS, 0, 0, CK_TILE_OPERANDS
    if (vectors == 2) {
        CK_TILE_CASES
        return;
    }
#undef CK_TILE_ARGUMENTS
#define CK_TILE_ARGUMENTS 1, CK_PAIRS, 0, 0, CK_TILE_OPERANDS
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
#undef CK_TILE_OPERANDS
}

// Transposes the keys of one head to [32][stride], four by four. Reads up to three rows beyond the text, whose results
// are masked later.
static void CK_PATH(transpose_keys)(const float *keys, size_t length, float *to, size_t stride) {
    for (size_t token = 0; token < length; token += 4) {
        const float *row = keys + token * CK_QKV;
        for (size_t k = 0; k < CK_HEAD_WIDTH; k += 4) {
            ck_four a = *(const ck_loose_four *)(row + k), b = *(const ck_loose_four *)(row + CK_QKV + k);
            ck_four c = *(const ck_loose_four *)(row + 2 * CK_QKV + k);
            ck_four d = *(const ck_loose_four *)(row + 3 * CK_QKV + k);
            ck_four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            ck_four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
            float *out = to + k * stride + token;
            *(ck_loose_four *)out = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
            *(ck_loose_four *)(out + stride) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
            *(ck_loose_four *)(out + 2 * stride) = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
            *(ck_loose_four *)(out + 3 * stride) = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
        }
    }
}

// Softmax of the first `length` scores, in place; the rest of the last vector is ignored on reading.
static void CK_PATH(softmax)(float *scores, size_t length) {
    size_t last = (length - 1) / CK_LANES * CK_LANES;
    CK_INTEGERS lane = CK_LOAD_INTEGERS(ck_lane_numbers);
    CK_VECTOR end = lane < (int32_t)(length - last) ? CK_LOAD(scores + last) : (CK_VECTOR)-1e30f;
    CK_VECTOR largest = end;
    for (size_t k = 0; k < last; k += CK_LANES) largest = CK_LARGER(largest, CK_LOAD(scores + k));
    CK_VECTOR shift = (CK_VECTOR)CK_PATH(largest)(largest);
    end = CK_PATH(power_of_two)((end - shift) * CK_LOG2_E);  // 2e-38 where there is no key: nothing in the sum
    CK_VECTOR sum = end;
    for (size_t k = 0; k < last; k += CK_LANES) {
        CK_VECTOR e = CK_PATH(power_of_two)((CK_LOAD(scores + k) - shift) * CK_LOG2_E);
        CK_STORE(scores + k, e);
        sum += e;
    }
    float factor = 1.0f / CK_PATH(sum)(sum);
    for (size_t k = 0; k < last; k += CK_LANES) CK_STORE(scores + k, CK_LOAD(scores + k) * factor);
    CK_STORE(scores + last, end * factor);
}

static void CK_PATH(attend_fp32)(ck_encoder_workspace *workspace, const float *qkv, size_t length, float *context) {
    size_t stride = (length + CK_LANES - 1) / CK_LANES * CK_LANES;
    float *scores = workspace->scores;
    size_t blocks = (length + CK_TILE_ROWS - 1) / CK_TILE_ROWS, height = (length + blocks - 1) / blocks;
    for (size_t head = 0; head < CK_HEADS; head++) {
        const float *query = qkv + head * CK_HEAD_WIDTH, *value = query + 2 * CK_HIDDEN;
        float *result = context + head * CK_HEAD_WIDTH;
        CK_PATH(transpose_keys)(query + CK_HIDDEN, length, workspace->keys, stride);
        for (size_t token = 0; token < length; token += height) {
            int rows = (int)(length - token < height ? length - token : height);
            for (size_t key = 0; key < stride; key += 2 * CK_LANES) {
                int vectors = stride - key > CK_LANES ? 2 : 1;
                CK_PATH(tile_floats)(rows, vectors, query + token * CK_QKV, CK_QKV, workspace->keys + key, stride,
                                     CK_HEAD_WIDTH, scores + key, stride);
            }
            for (int r = 0; r < rows; r++) CK_PATH(softmax)(scores + (size_t)r * stride, length);
            for (size_t k = 0; k < CK_HEAD_WIDTH; k += 2 * CK_LANES) {
                CK_PATH(tile_floats)(rows, 2, scores, stride, value + k, CK_QKV, length,
                                     result + token * CK_HIDDEN + k, CK_HIDDEN);
            }
        }
    }
}

// What one unit of a head's quantised query times one of its keys is worth, and one of its values.
typedef struct CK_PATH(head_units) {
    float score, value;
} CK_PATH(head_units);

// The largest absolute number of one head in rows of CK_QKV.
static float CK_PATH(largest_of_head)(const float *rows, size_t length) {
    CK_VECTOR largest = (CK_VECTOR)1e-30f;  // rows of zeros
    for (size_t token = 0; token < length; token++, rows += CK_QKV) {
        for (size_t k = 0; k < CK_HEAD_WIDTH; k += CK_LANES) {
            CK_VECTOR v = CK_LOAD(rows + k);
            v = CK_LARGER(v, -v);
            largest = CK_LARGER(largest, v);
        }
    }
    return CK_PATH(largest)(largest);
}

// Stores pairs of int16 as the tile kernel takes them for B.
CK_INLINE void CK_PATH(store_pairs)(int32_t *to, CK_INTEGERS first, CK_INTEGERS second) {
#if CK_ADJACENT
    CK_STORE_INTEGERS(to, (first & 0xFFFF) | (second << 16));
#else
    CK_STORE_SHORTS(to, first);
    CK_STORE_SHORTS((int16_t *)to + CK_LANES, second);
#endif
}

// Quantises queries, keys and values of one head: the keys in pairs of dimensions, the values in pairs of tokens.
static CK_PATH(head_units) CK_PATH(quantise_head)(ck_encoder_workspace *workspace, const float *qkv, size_t length,
                                                  size_t stride) {
    const float *keys = qkv + CK_HIDDEN, *values = keys + CK_HIDDEN;
    float query_limit = CK_PATH(largest_of_head)(qkv, length), query_factor = CK_HEAD_LIMIT / query_limit;
    float key_limit = CK_PATH(largest_of_head)(keys, length), key_factor = CK_HEAD_LIMIT / key_limit;
    float value_limit = CK_PATH(largest_of_head)(values, length), value_factor = CK_ACTIVATION_LIMIT / value_limit;
    for (size_t token = 0; token < length; token++) {
        int16_t *to = workspace->queries + token * CK_HEAD_WIDTH;
        for (size_t k = 0; k < CK_HEAD_WIDTH; k += CK_LANES)
            CK_STORE_SHORTS(to + k, CK_PATH(rounded)(CK_LOAD(qkv + token * CK_QKV + k) * query_factor));
    }
    // In place: a pair of rows becomes one that begins no later.
    CK_PATH(transpose_keys)(keys, length, workspace->keys, stride);
    CK_INTEGERS lane = CK_LOAD_INTEGERS(ck_lane_numbers);
    for (size_t k = 0; k < CK_HEAD_WIDTH; k += 2) {
        const float *row = workspace->keys + k * stride;
        for (size_t token = 0; token < stride; token += CK_LANES) {
            // Zero beyond the text: other numbers could overflow.
            CK_INTEGERS inside = lane < (int32_t)(length - token);
            CK_INTEGERS first = CK_PATH(rounded)(CK_LOAD(row + token) * key_factor);
            CK_INTEGERS second = CK_PATH(rounded)(CK_LOAD(row + stride + token) * key_factor);
            CK_PATH(store_pairs)((int32_t *)workspace->keys + k / 2 * stride + token, first & inside, second & inside);
        }
    }
    for (size_t token = 0; token < length; token += 2) {
        const float *row = values + token * CK_QKV;
        float next = token + 1 < length ? value_factor : 0.0f;
        const float *next_row = token + 1 < length ? row + CK_QKV : row;
        for (size_t k = 0; k < CK_HEAD_WIDTH; k += CK_LANES) {
            CK_INTEGERS first = CK_PATH(rounded)(CK_LOAD(row + k) * value_factor);
            CK_INTEGERS second = CK_PATH(rounded)(CK_LOAD(next_row + k) * next);
            CK_PATH(store_pairs)(workspace->values + token / 2 * CK_HEAD_WIDTH + k, first, second);
        }
    }
    return (CK_PATH(head_units)){query_limit / CK_HEAD_LIMIT * (key_limit / CK_HEAD_LIMIT),
                                 value_limit / CK_ACTIVATION_LIMIT};
}

// Softmax of `length` int32 scores, each worth `unit`, to int16 weights in place. Returns what one unit of a weight is
// worth. The largest weight is not one but what the sum allows: CK_WEIGHT_SUM bounds that of a row.
static float CK_PATH(softmax_int16)(float *scores, size_t length, float unit) {
    size_t last = (length - 1) / CK_LANES * CK_LANES;
    CK_INTEGERS lane = CK_LOAD_INTEGERS(ck_lane_numbers);
    CK_INTEGERS end = lane < (int32_t)(length - last) ? CK_LOAD_INTEGERS(scores + last) : (CK_INTEGERS)INT32_MIN;
    CK_INTEGERS largest = end;
    for (size_t k = 0; k < last; k += CK_LANES) largest = CK_LARGER(largest, CK_LOAD_INTEGERS(scores + k));
    CK_VECTOR shift = (CK_VECTOR)CK_PATH(largest)(__builtin_convertvector(largest, CK_VECTOR));
    float scale = unit * CK_LOG2_E;
    CK_VECTOR sum = (CK_VECTOR)0.0f;
    for (size_t k = 0; k < last; k += CK_LANES) {
        CK_VECTOR score = __builtin_convertvector(CK_LOAD_INTEGERS(scores + k), CK_VECTOR);
        CK_VECTOR e = CK_PATH(power_of_two)((score - shift) * scale);
        CK_STORE(scores + k, e);
        sum += e;
    }
    CK_VECTOR e = CK_PATH(power_of_two)((__builtin_convertvector(end, CK_VECTOR) - shift) * scale);
    e = lane < (int32_t)(length - last) ? e : (CK_VECTOR)0.0f;
    float total = CK_PATH(sum)(sum + e);
    float factor = CK_SMALLER(CK_WEIGHT_SUM / total, 32767.0f);
    int16_t *weights = (int16_t *)scores;
    for (size_t k = 0; k < last; k += CK_LANES)
        CK_STORE_SHORTS(weights + k, CK_PATH(rounded)(CK_LOAD(scores + k) * factor));
    CK_STORE_SHORTS(weights + last, CK_PATH(rounded)(e * factor));
    return 1.0f / (factor * total);
}

static void CK_PATH(attend_int16)(ck_encoder_workspace *workspace, const float *qkv, size_t length, float *context) {
    size_t stride = (length + CK_LANES - 1) / CK_LANES * CK_LANES;
    float *scores = workspace->scores;
    size_t blocks = (length + CK_TILE_ROWS - 1) / CK_TILE_ROWS, height = (length + blocks - 1) / blocks;
    const int32_t *queries = (const int32_t *)workspace->queries, *keys = (const int32_t *)workspace->keys;
    for (size_t head = 0; head < CK_HEADS; head++) {
        float *result = context + head * CK_HEAD_WIDTH;
        CK_PATH(head_units) units = CK_PATH(quantise_head)(workspace, qkv + head * CK_HEAD_WIDTH, length, stride);
        for (size_t token = 0; token < length; token += height) {
            int rows = (int)(length - token < height ? length - token : height);
            for (size_t key = 0; key < stride; key += 2 * CK_LANES) {
                int vectors = stride - key > CK_LANES ? 2 : 1;
                CK_PATH(tile_pairs)(rows, vectors, queries + token * (CK_HEAD_WIDTH / 2), CK_HEAD_WIDTH / 2,
                                    keys + key, stride, CK_HEAD_WIDTH / 2, scores + key, stride);
            }
            float weight_units[CK_TILE_ROWS];
            for (int r = 0; r < rows; r++)
                weight_units[r] = CK_PATH(softmax_int16)(scores + (size_t)r * stride, length, units.score);
            for (size_t k = 0; k < CK_HEAD_WIDTH; k += 2 * CK_LANES) {
                CK_PATH(tile_pairs)(rows, 2, (const int32_t *)scores, stride, workspace->values + k, CK_HEAD_WIDTH,
                                    (length + 1) / 2, result + token * CK_HIDDEN + k, CK_HIDDEN);
            }
            for (int r = 0; r < rows; r++) {
                float *row = result + (token + (size_t)r) * CK_HIDDEN, unit = weight_units[r] * units.value;
                for (size_t k = 0; k < CK_HEAD_WIDTH; k += CK_LANES)
                    CK_STORE(row + k, __builtin_convertvector(CK_LOAD_INTEGERS(row + k), CK_VECTOR) * unit);
            }
        }
    }
}

// `qkv` and `context` start at the text's first token.
static void CK_PATH(attend)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const float *qkv,
                            size_t length, float *context) {
    if (encoder->precision == CK_ENCODER_FP32) CK_PATH(attend_fp32)(workspace, qkv, length, context);
    else CK_PATH(attend_int16)(workspace, qkv, length, context);
}
