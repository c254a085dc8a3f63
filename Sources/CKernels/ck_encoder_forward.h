// SPDX-License-Identifier: Apache-2.0
// The forward pass over vectors of CK_LANES numbers. ck_encoder_paths.c includes this text once for each instruction
// set, after having defined:
//
//   CK_PATH(name)      the name with the instruction set's suffix
//   CK_LANES           32-bit numbers in a vector: 4, 8 or 16
//   CK_TILE_ROWS       rows of a tile, such that 2 * CK_TILE_ROWS + 3 vectors fit the registers
//   CK_DOT(sum, a, b)  sum + the products of the int16 pair `a` (a dword) with every pair of the vector `b`
//
// Everything but CK_DOT is written with the compiler's vector types, which every target has. Multiplications and
// additions within one expression are fused where the target can.

#define CK_VECTOR CK_PATH(vector)
#define CK_INTEGERS CK_PATH(integers)
#define CK_SHORTS CK_PATH(shorts)

typedef float CK_VECTOR __attribute__((ext_vector_type(CK_LANES)));
typedef int32_t CK_INTEGERS __attribute__((ext_vector_type(CK_LANES)));
typedef int16_t CK_SHORTS __attribute__((ext_vector_type(CK_LANES)));
typedef CK_VECTOR CK_PATH(loose_vector) __attribute__((aligned(4), may_alias));
typedef CK_INTEGERS CK_PATH(loose_integers) __attribute__((aligned(4), may_alias));
typedef CK_SHORTS CK_PATH(loose_shorts) __attribute__((aligned(2), may_alias));

#define CK_LOAD(p) (*(const CK_PATH(loose_vector) *)(p))
#define CK_STORE(p, v) (*(CK_PATH(loose_vector) *)(p) = (v))
#define CK_LARGER(a, b) ((a) > (b) ? (a) : (b))

#if CK_LANES == 16
#define CK_QUARTER(v, op) op(op((v).lo.lo, (v).lo.hi), op((v).hi.lo, (v).hi.hi))
#elif CK_LANES == 8
#define CK_QUARTER(v, op) op((v).lo, (v).hi)
#else
#define CK_QUARTER(v, op) (v)
#endif
#define CK_SUM(a, b) ((a) + (b))

CK_INLINE float CK_PATH(sum)(CK_VECTOR v) {
    ck_four q = CK_QUARTER(v, CK_SUM);
    return (q.x + q.z) + (q.y + q.w);
}

CK_INLINE float CK_PATH(largest)(CK_VECTOR v) {
    ck_four q = CK_QUARTER(v, CK_LARGER);
    float even = CK_LARGER(q.x, q.z), odd = CK_LARGER(q.y, q.w);
    return CK_LARGER(even, odd);
}

// Adding 1.5 * 2^23 rounds to the nearest integer, ties to even, and leaves the integer in the low bits.
#define CK_ROUNDER 12582912.0f
#define CK_ROUNDER_BITS 0x4B400000

// e^x for x <= 0; what lies under -87 counts as -87. Relative error below 2e-7.
CK_INLINE CK_VECTOR CK_PATH(exponential)(CK_VECTOR x) {
    x = CK_LARGER(x, (CK_VECTOR)-87.0f);
    CK_VECTOR shifted = x * 1.44269504f + CK_ROUNDER;
    CK_VECTOR n = shifted - CK_ROUNDER;
    CK_VECTOR r = x - n * 0.693359375f;  // ln 2 in two parts, the first exact in few bits
    r = r + n * 2.12194440e-4f;
    CK_VECTOR p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1.0f);
    CK_INTEGERS power = ((CK_INTEGERS)shifted - (CK_ROUNDER_BITS - 127)) << 23;
    return p * (CK_VECTOR)power;
}

// x * Phi(x), the exact GELU, to an absolute error below 1e-6: max(x, 0) less a bump d(|x|) that a polynomial in
// 2|x|/5.25 - 1 follows up to 5.25 and that is under 4e-7 beyond. No division, no exponential.
CK_INLINE CK_VECTOR CK_PATH(gelu)(CK_VECTOR x) {
    CK_VECTOR size = CK_LARGER(x, -x);
    CK_VECTOR t = (size < 5.25f ? size : (CK_VECTOR)5.25f) * (2.0f / 5.25f) - 1.0f;
    CK_VECTOR t2 = t * t;
    // Even and odd powers apart: two short chains instead of a long one.
    CK_VECTOR even = t2 * 1.998670958e-02f - 7.551282644e-02f;
    CK_VECTOR odd = t2 * -3.403014690e-02f + 1.868980676e-01f;
    even = even * t2 + 3.609770909e-02f;
    odd = odd * t2 - 3.957653940e-01f;
    even = even * t2 + 2.918013334e-01f;
    odd = odd * t2 + 2.512440979e-01f;
    even = even * t2 - 5.807672739e-01f;
    odd = odd * t2 + 3.591503203e-01f;
    even = even * t2 + 8.266685903e-02f;
    odd = odd * t2 - 2.911960483e-01f;
    even = even * t2 + 2.143549323e-01f;
    odd = odd * t2 - 7.630105317e-02f;
    even = even * t2 + 1.137301605e-02f;
    return CK_LARGER(x, (CK_VECTOR)0.0f) - (odd * t + even);
}

// One tile of a product: `rows` rows of A by `vectors` vectors of columns of B, over `steps` dwords of each row.
// Strides are bytes; a `far` B is read ahead. C receives fp32, or the bare int32 sums: instead of what it held, or
// `adding` to it. `rows`, `vectors`, `int16` and `far` are known where this is expanded, so the sums live in registers.
CK_INLINE void CK_PATH(tile)(const int rows, const int vectors, const int int16, const int far, const int adding,
                             const char *a, const size_t a_stride, const char *b, const size_t b_stride,
                             const size_t steps, char *c, const size_t c_stride) {
    CK_INTEGERS sums[CK_TILE_ROWS][2];
    CK_UNROLL for (int r = 0; r < rows; r++) {
        const char *from = c + (size_t)r * c_stride;
        sums[r][0] = adding ? *(const CK_PATH(loose_integers) *)from : (CK_INTEGERS)0;
        sums[r][1] = adding && vectors == 2 ? *(const CK_PATH(loose_integers) *)(from + 4 * CK_LANES) : (CK_INTEGERS)0;
    }
    for (size_t step = 0; step < steps; step++, a += 4, b += b_stride) {
        CK_INTEGERS first = *(const CK_PATH(loose_integers) *)b;
        CK_INTEGERS second = vectors == 2 ? *(const CK_PATH(loose_integers) *)(b + 4 * CK_LANES) : first;
        if (far) CK_PREFETCH(b, 8 * CK_LANES);
        CK_UNROLL for (int r = 0; r < rows; r++) {
            if (int16) {
                int32_t pair = *(const ck_dword *)(a + (size_t)r * a_stride);
                sums[r][0] = CK_DOT(sums[r][0], pair, first);
                if (vectors == 2) sums[r][1] = CK_DOT(sums[r][1], pair, second);
            } else {
                CK_VECTOR factor = (CK_VECTOR) * (const ck_single *)(a + (size_t)r * a_stride);
                sums[r][0] = (CK_INTEGERS)((CK_VECTOR)sums[r][0] + factor * (CK_VECTOR)first);
                if (vectors == 2) sums[r][1] = (CK_INTEGERS)((CK_VECTOR)sums[r][1] + factor * (CK_VECTOR)second);
            }
        }
    }
    CK_UNROLL for (int r = 0; r < rows; r++) {
        char *to = c + (size_t)r * c_stride;
        *(CK_PATH(loose_integers) *)to = sums[r][0];
        if (vectors == 2) *(CK_PATH(loose_integers) *)(to + 4 * CK_LANES) = sums[r][1];
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
    }

static void CK_PATH(tile_int16)(int rows, int adding, const char *a, const char *b, char *c, size_t c_stride) {
#define CK_TILE_ARGUMENTS 2, 1, 1, adding, a, 2 * CK_QUANTISED_STRIDE, b, 8 * CK_LANES, CK_SLICE / 2, c, c_stride
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

static void CK_PATH(tile_fp32)(int rows, int adding, const char *a, size_t a_stride, const char *b, char *c,
                               size_t c_stride) {
#define CK_TILE_ARGUMENTS 2, 0, 1, adding, a, a_stride, b, 8 * CK_LANES, CK_SLICE, c, c_stride
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

// For attention: B is any matrix of fp32 rows.
static void CK_PATH(tile_strided)(int rows, int vectors, const float *a, size_t a_stride, const float *b,
                                  size_t b_stride, size_t steps, float *c, size_t c_stride) {
#define CK_TILE_ARGUMENTS \
    2, 0, 0, 0, (const char *)a, a_stride * 4, (const char *)b, b_stride * 4, steps, (char *)c, c_stride * 4
    if (vectors == 2) {
        CK_TILE_CASES
        return;
    }
#undef CK_TILE_ARGUMENTS
#define CK_TILE_ARGUMENTS \
    1, 0, 0, 0, (const char *)a, a_stride * 4, (const char *)b, b_stride * 4, steps, (char *)c, c_stride * 4
    CK_TILE_CASES
#undef CK_TILE_ARGUMENTS
}

// Turns the sums of a tile into outputs, in place.
CK_INLINE void CK_PATH(finish_tile)(const ck_linear *linear, size_t column, int rows, const float *row_scale,
                                    const int gelu, float *c) {
    for (size_t half = 0; half < 2; half++, column += CK_LANES, c += CK_LANES) {
        CK_VECTOR bias = CK_LOAD(linear->bias + column);
        CK_VECTOR scale = row_scale ? CK_LOAD(linear->scale + column) : (CK_VECTOR)0.0f;
        for (int r = 0; r < rows; r++) {
            float *at = c + (size_t)r * linear->outputs;
            CK_VECTOR v = CK_LOAD(at);
            if (row_scale) v = __builtin_convertvector((CK_INTEGERS)v, CK_VECTOR) * (scale * row_scale[r]) + bias;
            else v = v + bias;
            CK_STORE(at, gelu ? CK_PATH(gelu)(v) : v);
        }
    }
}

// outputs = inputs by the matrix, plus the bias. `inputs` is what `quantise` left: int16 rows when there is a scale.
static void CK_PATH(apply)(const ck_linear *linear, const void *inputs, const float *row_scale, size_t tokens, int gelu,
                           float *outputs) {
    size_t size = row_scale ? 2 : 4, input_stride = row_scale ? 2 * CK_QUANTISED_STRIDE : 4 * linear->inputs;
    size_t blocks = (tokens + CK_TILE_ROWS - 1) / CK_TILE_ROWS, height = (tokens + blocks - 1) / blocks;
    size_t output_stride = linear->outputs * 4;
    const char *panel = linear->panels;
    for (size_t first = 0; first < linear->inputs; first += CK_SLICE) {
        int adding = first > 0, last = first + CK_SLICE == linear->inputs;
        for (size_t column = 0; column < linear->outputs; column += 2 * CK_LANES) {
            for (size_t token = 0; token < tokens; token += height) {
                int rows = (int)(tokens - token < height ? tokens - token : height);
                const char *a = (const char *)inputs + token * input_stride + first * size;
                float *c = outputs + token * linear->outputs + column;
                if (row_scale) CK_PATH(tile_int16)(rows, adding, a, panel, (char *)c, output_stride);
                else CK_PATH(tile_fp32)(rows, adding, a, input_stride, panel, (char *)c, output_stride);
                if (!last) continue;
                const float *scale = row_scale ? row_scale + token : NULL;
                if (gelu) CK_PATH(finish_tile)(linear, column, rows, scale, 1, c);
                else CK_PATH(finish_tile)(linear, column, rows, scale, 0, c);
            }
            panel += CK_SLICE * 2 * CK_LANES * size;
        }
    }
}

// Quantises rows for the next `apply`; for fp32 there is nothing to do.
static void CK_PATH(quantise)(const ck_encoder *encoder, ck_encoder_workspace *workspace, const float *rows,
                              size_t first, size_t end, size_t width) {
    if (encoder->precision == CK_ENCODER_FP32) return;
    for (size_t i = first; i < end; i++) {
        const float *row = rows + i * width;
        int16_t *to = workspace->quantised + i * CK_QUANTISED_STRIDE;
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
        workspace->row_scale[i] = limit / CK_ACTIVATION_LIMIT;
        float factor = CK_ACTIVATION_LIMIT / limit;
        for (size_t k = 0; k < width; k += CK_LANES) {
            CK_INTEGERS v = (CK_INTEGERS)(CK_LOAD(row + k) * factor + CK_ROUNDER) - CK_ROUNDER_BITS;
            *(CK_PATH(loose_shorts) *)(to + k) = __builtin_convertvector(v, CK_SHORTS);
        }
    }
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
    CK_INTEGERS lane = *(const CK_PATH(loose_integers) *)ck_lane_numbers;
    CK_VECTOR end = lane < (int32_t)(length - last) ? CK_LOAD(scores + last) : (CK_VECTOR)-1e30f;
    CK_VECTOR largest = end;
    for (size_t k = 0; k < last; k += CK_LANES) largest = CK_LARGER(largest, CK_LOAD(scores + k));
    CK_VECTOR shift = (CK_VECTOR)CK_PATH(largest)(largest);
    end = CK_PATH(exponential)(end - shift);  // 1e-38 where there is no key: nothing in the sum
    CK_VECTOR sum = end;
    for (size_t k = 0; k < last; k += CK_LANES) {
        CK_VECTOR e = CK_PATH(exponential)(CK_LOAD(scores + k) - shift);
        CK_STORE(scores + k, e);
        sum += e;
    }
    float factor = 1.0f / CK_PATH(sum)(sum);
    for (size_t k = 0; k < last; k += CK_LANES) CK_STORE(scores + k, CK_LOAD(scores + k) * factor);
    CK_STORE(scores + last, end * factor);
}

// Attention within one text: `qkv` and `context` start at its first token.
static void CK_PATH(attend)(ck_encoder_workspace *workspace, const float *qkv, size_t length, float *context) {
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
                CK_PATH(tile_strided)(rows, vectors, query + token * CK_QKV, CK_QKV, workspace->keys + key, stride,
                                      CK_HEAD_WIDTH, scores + key, stride);
            }
            for (int r = 0; r < rows; r++) CK_PATH(softmax)(scores + (size_t)r * stride, length);
            for (size_t k = 0; k < CK_HEAD_WIDTH; k += 2 * CK_LANES) {
                CK_PATH(tile_strided)(rows, 2, scores, stride, value + k, CK_QKV, length,
                                      result + token * CK_HIDDEN + k, CK_HIDDEN);
            }
        }
    }
}

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
    const int int16 = encoder->precision == CK_ENCODER_INT16;
    const float *scale = int16 ? workspace->row_scale : NULL;
    // What `apply` reads: the quantised rows, or the rows themselves.
    const void *hidden = int16 ? (const void *)workspace->quantised : workspace->hidden;
    const void *context = int16 ? (const void *)workspace->quantised : workspace->context;
    const void *expanded = int16 ? (const void *)workspace->quantised : workspace->expanded;
    size_t tokens = 0;
    for (size_t text = 0; text < count; text++) tokens += (size_t)lengths[text];

    CK_PATH(look_up)(encoder, ids, lengths, count, workspace->hidden);
    CK_PATH(normalise)(encoder, workspace, &encoder->embedding_norm, NULL, tokens);
    for (size_t i = 0; i < CK_ENCODER_LAYERS; i++) {
        const ck_layer *layer = &encoder->layers[i];
        CK_PATH(apply)(&layer->qkv, hidden, scale, tokens, 0, workspace->qkv);
        for (size_t text = 0, first = 0; text < count; first += (size_t)lengths[text], text++) {
            CK_PATH(attend)(workspace, workspace->qkv + first * CK_QKV, (size_t)lengths[text],
                            workspace->context + first * CK_HIDDEN);
        }
        CK_PATH(quantise)(encoder, workspace, workspace->context, 0, tokens, CK_HIDDEN);
        CK_PATH(apply)(&layer->attention_output, context, scale, tokens, 0, workspace->update);
        CK_PATH(normalise)(encoder, workspace, &layer->attention_norm, workspace->update, tokens);
        CK_PATH(apply)(&layer->expansion, hidden, scale, tokens, 1, workspace->expanded);
        CK_PATH(quantise)(encoder, workspace, workspace->expanded, 0, tokens, CK_FEED_FORWARD);
        CK_PATH(apply)(&layer->contraction, expanded, scale, tokens, 0, workspace->update);
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
#undef CK_LOAD
#undef CK_STORE
#undef CK_LARGER
#undef CK_QUARTER
#undef CK_SUM
#undef CK_ROUNDER
#undef CK_ROUNDER_BITS
#undef CK_TILE_CASE
#undef CK_TILE_CASES
