// SPDX-License-Identifier: Apache-2.0
// The floating-point kernels, written once over 16-wide vectors and compiled for each instruction set by defining,
// before including this file:
//
//   CK_FLOAT(name)     the name of a kernel in this instruction set
//   CK_FLOAT_TARGET    its target attribute, or nothing
//   CK_FLOAT_TILE      rows (or dimensions) whose 64 sums stay in registers at once
//
// Included several times, so without a guard.

#include <math.h>
#include <string.h>

#include "ck_scan_kernels.h"

typedef float CK_FLOAT(wide) __attribute__((vector_size(64), aligned(4)));

CK_FLOAT_TARGET static float CK_FLOAT(dot)(const float *a, const float *b, size_t count) {
    CK_FLOAT(wide) sums[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        for (int j = 0; j < 4; j++) {
            sums[j] += *(const CK_FLOAT(wide) *)(a + i + 16 * j) * *(const CK_FLOAT(wide) *)(b + i + 16 * j);
        }
    }
    for (; i + 16 <= count; i += 16) sums[0] += *(const CK_FLOAT(wide) *)(a + i) * *(const CK_FLOAT(wide) *)(b + i);
    CK_FLOAT(wide) all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float total = 0;
    for (int j = 0; j < 16; j++) total += all[j];
    for (; i < count; i++) total += a[i] * b[i];
    return total;
}

// Coordinates of `tile` rows; `tile` is a constant wherever this is inlined.
CK_FLOAT_TARGET static inline __attribute__((always_inline)) void CK_FLOAT(project_rows)(
    const int tile, const float *rows, size_t dimension, const float *columns, float *out) {
    CK_FLOAT(wide) sums[CK_FLOAT_TILE][4];
    memset(sums, 0, sizeof sums);
    for (size_t k = 0; k < dimension; k++) {
        const CK_FLOAT(wide) *column = (const CK_FLOAT(wide) *)(columns + k * CK_SCAN_COLUMNS);
        for (int r = 0; r < tile; r++) {
            float x = rows[(size_t)r * dimension + k];
            for (int j = 0; j < 4; j++) sums[r][j] += column[j] * x;
        }
    }
    for (int r = 0; r < tile; r++) memcpy(out + r * CK_SCAN_COLUMNS, sums[r], sizeof sums[r]);
}

CK_FLOAT_TARGET static void CK_FLOAT(project)(const float *rows, size_t count, size_t dimension, const float *columns,
                                             float *out) {
    size_t r = 0;
    for (; r + CK_FLOAT_TILE <= count; r += CK_FLOAT_TILE) {
        CK_FLOAT(project_rows)(CK_FLOAT_TILE, rows + r * dimension, dimension, columns, out + r * CK_SCAN_COLUMNS);
    }
    for (; r < count; r++) {
        CK_FLOAT(project_rows)(1, rows + r * dimension, dimension, columns, out + r * CK_SCAN_COLUMNS);
    }
}

CK_FLOAT_TARGET static inline __attribute__((always_inline)) void CK_FLOAT(accumulate_tile)(
    const int tile, const float *rows, size_t count, size_t dimension, const float *factors, float *sums) {
    CK_FLOAT(wide) local[CK_FLOAT_TILE][4];
    memcpy(local, sums, (size_t)tile * sizeof local[0]);
    for (size_t r = 0; r < count; r++) {
        const CK_FLOAT(wide) *factor = (const CK_FLOAT(wide) *)(factors + r * CK_SCAN_COLUMNS);
        for (int t = 0; t < tile; t++) {
            float x = rows[r * dimension + (size_t)t];
            for (int j = 0; j < 4; j++) local[t][j] += factor[j] * x;
        }
    }
    memcpy(sums, local, (size_t)tile * sizeof local[0]);
}

CK_FLOAT_TARGET static void CK_FLOAT(accumulate)(const float *rows, size_t count, size_t dimension,
                                                const float *factors, float *sums) {
    const size_t chunk = 256;  // rows whose factors stay in the first-level cache
    for (size_t r = 0; r < count; r += chunk) {
        size_t n = count - r < chunk ? count - r : chunk;
        const float *at = rows + r * dimension, *by = factors + r * CK_SCAN_COLUMNS;
        size_t k = 0;
        for (; k + CK_FLOAT_TILE <= dimension; k += CK_FLOAT_TILE) {
            CK_FLOAT(accumulate_tile)(CK_FLOAT_TILE, at + k, n, dimension, by, sums + k * CK_SCAN_COLUMNS);
        }
        for (; k < dimension; k++) {
            CK_FLOAT(accumulate_tile)(1, at + k, n, dimension, by, sums + k * CK_SCAN_COLUMNS);
        }
    }
}

// Rounds to int16, clamped, with zeros up to the stride; answers the length of what that took away.
CK_FLOAT_TARGET static float CK_FLOAT(quantise)(const float *vector, uint32_t dimension, uint32_t stride,
                                               int16_t *out) {
    float missed[16] = {0}, all = 0;
    for (uint32_t at = 0; at < stride; at += 16) {
        float part[16] = {0};
        memcpy(part, vector + (at < dimension ? at : 0),
               at + 16 <= dimension ? sizeof part : at < dimension ? (dimension - at) * sizeof(float) : 0);
        for (int lane = 0; lane < 16; lane++) {
            float scaled = part[lane] * CK_SCAN_UNIT;
            scaled += scaled < 0 ? -0.5f : 0.5f;
            scaled = scaled > CK_SCAN_UNIT ? CK_SCAN_UNIT : scaled;
            scaled = scaled < -CK_SCAN_UNIT ? -CK_SCAN_UNIT : scaled;
            int32_t value = (int32_t)scaled;
            float miss = part[lane] - (float)value * (1.0f / CK_SCAN_UNIT);
            out[at + (uint32_t)lane] = (int16_t)value;
            missed[lane] += miss * miss;
        }
    }
    for (int lane = 0; lane < 16; lane++) all += missed[lane];
    return sqrtf(all) * 1.001f + 1e-6f;
}

CK_FLOAT_TARGET static void CK_FLOAT(encode)(const ck_scan_basis *basis, const float *leading, float squared_norm,
                                            uint8_t lead[32], uint8_t line[64]) {
    int32_t code4[CK_SCAN_COLUMNS], code8[CK_SCAN_COLUMNS];
    float led[16] = {0}, missed4[16] = {0}, missed8[16] = {0};
    for (int at = 0; at < CK_SCAN_COLUMNS; at += 16) {
        for (int lane = 0; lane < 16; lane++) {
            int j = at + lane;
            float x = leading[j];  // zero from CK_SCAN_LEAD on
            float c4 = (x - basis->low4[j]) / basis->step4[j] + 0.5f;
            c4 = c4 < 0 ? 0 : c4 > 15 ? 15 : c4;
            float c8 = (x - basis->middle8[j]) / basis->step8[j] + 128.5f;
            c8 = c8 < 1 ? 1 : c8 > 255 ? 255 : c8;
            code4[j] = (int32_t)c4;
            code8[j] = (int32_t)c8 - 128;
            float e4 = x - (basis->low4[j] + basis->step4[j] * (float)code4[j]);
            float e8 = x - (basis->middle8[j] + basis->step8[j] * (float)code8[j]);
            led[lane] += x * x;
            missed4[lane] += e4 * e4;
            missed8[lane] += e8 * e8;
        }
    }
    float length = 0, miss4 = 0, miss8 = 0;
    for (int lane = 0; lane < 16; lane++) {
        length += led[lane];
        miss4 += missed4[lane];
        miss8 += missed8[lane];
    }
    // Lengths are rounded up. The square of the tail is a difference: what it may have lost to rounding comes on top.
    float lost = basis->slack + 3 * basis->projection_error;
    float rest = squared_norm - length;
    float tail = sqrtf((rest > 0 ? rest : 0) + lost);
    miss4 = sqrtf(miss4) * 1.00001f + 1e-6f;
    miss8 = sqrtf(miss8) * 1.00001f + 1e-6f;
    float tail_byte = ceilf((tail - basis->tail_base) / basis->tail_step + 1e-3f);
    float miss_byte = ceilf(miss4 / basis->miss_step + 1e-3f);
    for (int b = 0; b < CK_SCAN_PAIRS; b++) lead[b] = (uint8_t)(code4[b] | code4[b + CK_SCAN_PAIRS] << 4);
    lead[CK_SCAN_TAIL_BYTE] = (uint8_t)(tail_byte < 0 ? 0 : tail_byte > 255 ? 255 : tail_byte);
    lead[CK_SCAN_MISS_BYTE] = (uint8_t)(miss_byte > 255 ? 255 : miss_byte);
    for (int j = 0; j < CK_SCAN_LEAD; j++) line[j] = (uint8_t)(int8_t)code8[j];
    uint16_t lengths[2] = {(uint16_t)ceilf(tail / CK_SCAN_LINE_LENGTH_STEP + 1e-3f),
                           (uint16_t)ceilf(miss8 / CK_SCAN_LINE_LENGTH_STEP + 1e-3f)};
    memcpy(line + CK_SCAN_LINE_TAIL, lengths, sizeof lengths);
}
