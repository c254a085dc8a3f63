// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ck_scan_kernels.h"

#define QUANTUM (1.0f / CK_SCAN_UNIT)
#define ITERATIONS 6
#define CHUNK 4  // rows turned back into floats at a time

static void dequantise(const int16_t *vector, uint32_t dimension, float *out) {
    for (uint32_t k = 0; k < dimension; k++) out[k] = (float)vector[k] * QUANTUM;
}

static double dot(const double *a, const double *b, size_t count) {
    double lanes[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int j = 0; j < 8; j++) lanes[j] += a[i + (size_t)j] * b[i + (size_t)j];
    }
    for (; i < count; i++) sum += a[i] * b[i];
    for (int j = 0; j < 8; j++) sum += lanes[j];
    return sum;
}

// Makes the columns of a dimension x CK_SCAN_COLUMNS matrix orthonormal, first to last; one that the former ones all
// but span becomes zero, and its coordinate is then always zero, which keeps every bound true. `work` has room for the
// matrix in double.
static void orthonormalise(float *columns, size_t dimension, double *work) {
    double largest = 0;
    for (size_t j = 0; j < CK_SCAN_COLUMNS; j++) {
        double *own = work + j * dimension;
        for (size_t k = 0; k < dimension; k++) own[k] = columns[k * CK_SCAN_COLUMNS + j];
        largest = fmax(largest, sqrt(dot(own, own, dimension)));
    }
    for (size_t j = 0; j < CK_SCAN_COLUMNS; j++) {
        double *own = work + j * dimension;
        for (int pass = 0; pass < 2; pass++) {  // twice is enough
            for (size_t i = 0; i < j; i++) {
                const double *other = work + i * dimension;
                double along = dot(own, other, dimension);
                for (size_t k = 0; k < dimension; k++) own[k] -= along * other[k];
            }
        }
        double norm = sqrt(dot(own, own, dimension)), by = norm > 1e-6 * largest ? 1 / norm : 0;
        for (size_t k = 0; k < dimension; k++) own[k] *= by;
    }
    for (size_t j = 0; j < CK_SCAN_COLUMNS; j++) {
        for (size_t k = 0; k < dimension; k++) columns[k * CK_SCAN_COLUMNS + j] = (float)work[j * dimension + k];
    }
}

// How far the kept columns, as rounded to fp32, are from orthonormal: the Frobenius norm of PP' - I, which bounds what
// the difference can do to any product of unit vectors.
static float defect(const float *columns, size_t dimension, double *work) {
    double sum = 0;
    for (size_t j = 0; j < CK_SCAN_LEAD; j++) {
        double *own = work + j * dimension;
        for (size_t k = 0; k < dimension; k++) own[k] = columns[k * CK_SCAN_COLUMNS + j];
        for (size_t i = 0; i <= j; i++) {
            double product = dot(own, work + i * dimension, dimension);
            double off = i < j ? product : product > 0 ? product - 1 : 0;
            sum += (i < j ? 2 : 1) * off * off;
        }
    }
    return (float)sqrt(sum) * 1.01f + 1e-6f;
}

// Repeatable numbers in -1...1 to start from.
static void scatter(float *columns, size_t count) {
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        columns[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
    }
}

// Sets the steps of the codes by how the sample's coordinates spread. Every range takes in zero, so that no vector's
// code can be off by more than its length and half a step.
static void set_steps(ck_scan_basis *basis, const float *leading, const float *squares, uint32_t count) {
    double half_steps = 0, least_tail = CK_SCAN_MAXIMUM_NORM;
    for (int j = 0; j < CK_SCAN_COLUMNS; j++) {
        basis->low4[j] = basis->middle8[j] = 0;
        basis->step4[j] = basis->step8[j] = 1;
        if (j >= CK_SCAN_LEAD) continue;
        double sum = 0, square = 0;
        for (size_t i = 0; i < count; i++) {
            double x = leading[i * CK_SCAN_COLUMNS + (size_t)j];
            sum += x;
            square += x * x;
        }
        double mean = sum / count, deviation = sqrt(fmax(0, square / count - mean * mean));
        // 16 levels serve a normal distribution best over some five standard deviations; 256 over more.
        double low = fmin(mean - 2.5 * deviation, 0), high = fmax(mean + 2.5 * deviation, 0);
        double step = fmax(high - low, 1e-5) / 16;
        basis->step4[j] = (float)step;
        basis->low4[j] = (float)(low + step / 2);
        half_steps += step * step / 4;
        low = fmin(mean - 5 * deviation, 0), high = fmax(mean + 5 * deviation, 0);
        basis->step8[j] = (float)(fmax(high - low, 1e-5) / 254);
        basis->middle8[j] = (float)((low + high) / 2);
    }
    for (size_t i = 0; i < count; i++) {
        double inside = 0;
        for (size_t j = 0; j < CK_SCAN_LEAD; j++) {
            double x = leading[i * CK_SCAN_COLUMNS + j];
            inside += x * x;
        }
        least_tail = fmin(least_tail, sqrt(fmax(0, squares[i] - inside)));
    }
    basis->tail_base = (float)least_tail;
    basis->tail_step = (float)((CK_SCAN_MAXIMUM_NORM + 0.03 - least_tail) / 255);
    basis->miss_step = (float)((CK_SCAN_MAXIMUM_NORM + 0.03 + sqrt(half_steps)) / 254);
}

uint32_t ck_scan_basis_sample(uint32_t dimension) {
    uint32_t affordable = ((uint32_t)4 << 20) / dimension;
    return affordable < 4096 ? affordable : 4096;
}

ck_scan_basis *ck_scan_basis_learn(ck_isa isa, const int16_t *const *vectors, uint32_t count, uint32_t dimension) {
    const ck_scan_kernels *kernels = ck_scan_kernels_of(isa);
    size_t d = dimension, n = count, matrix = d * CK_SCAN_COLUMNS;
    ck_scan_basis *basis = malloc(sizeof *basis);
    float *columns = malloc(matrix * sizeof(float));
    float *rows = malloc(n * d * sizeof(float));
    float *leading = malloc(n * CK_SCAN_COLUMNS * sizeof(float));
    float *squares = malloc(n * sizeof(float));
    double *work = malloc(matrix * sizeof(double));
    if (basis && columns && rows && leading && squares && work) {
        for (size_t i = 0; i < n; i++) {
            dequantise(vectors[i], dimension, rows + i * d);
            squares[i] = kernels->dot(rows + i * d, rows + i * d, d);
        }
        scatter(columns, matrix);
        orthonormalise(columns, d, work);
        for (int iteration = 0; iteration < ITERATIONS; iteration++) {
            kernels->project(rows, n, d, columns, leading);
            memset(columns, 0, matrix * sizeof(float));
            kernels->accumulate(rows, n, d, leading, columns);
            orthonormalise(columns, d, work);
        }
        for (size_t k = 0; k < d; k++) {
            for (size_t j = CK_SCAN_LEAD; j < CK_SCAN_COLUMNS; j++) columns[k * CK_SCAN_COLUMNS + j] = 0;
        }
        kernels->project(rows, n, d, columns, leading);
        basis->dimension = dimension;
        basis->columns = columns;
        basis->slack = defect(columns, d, work);
        // Each of the 60 sums of `dimension` products is off by that many roundings at most.
        basis->projection_error = 8 * 6e-8f * (float)dimension + 1e-6f;
        set_steps(basis, leading, squares, count);
    } else {
        free(basis);
        free(columns);
        basis = NULL;
    }
    free(rows);
    free(leading);
    free(squares);
    free(work);
    return basis;
}

void ck_scan_basis_free(ck_scan_basis *basis) {
    if (!basis) return;
    free(basis->columns);
    free(basis);
}

size_t ck_scan_basis_bytes(const ck_scan_basis *basis) {
    return sizeof *basis + (size_t)basis->dimension * CK_SCAN_COLUMNS * sizeof(float);
}

void ck_scan_encode(ck_isa isa, ck_scan_segment *segment, uint32_t first, uint32_t count, const ck_scan_basis *basis) {
    const ck_scan_kernels *kernels = ck_scan_kernels_of(isa);
    float rows[CHUNK * CK_SCAN_MAXIMUM_DIMENSION], leading[CHUNK * CK_SCAN_COLUMNS];
    size_t d = segment->dimension;
    for (uint32_t at = 0; at < count; at += CHUNK) {
        uint32_t n = count - at < CHUNK ? count - at : CHUNK;
        for (uint32_t i = 0; i < n; i++) {
            const int16_t *vector = segment->vectors + (size_t)(first + at + i) * segment->stride;
            dequantise(vector, segment->dimension, rows + i * d);
        }
        kernels->project(rows, n, d, basis->columns, leading);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t slot = first + at + i, block = slot / CK_SCAN_BLOCK;
            uint8_t lead[CK_SCAN_LEAD_BYTES];
            float square = kernels->dot(rows + i * d, rows + i * d, d);
            kernels->encode(basis, leading + i * CK_SCAN_COLUMNS, square, lead,
                            segment->lines + (size_t)slot * CK_SCAN_LINE_BYTES);
            uint8_t *target = segment->lead + (size_t)block * CK_SCAN_BLOCK_BYTES +
                              ck_scan_lead_offset(slot % CK_SCAN_BLOCK, 0);
            for (int g = 0; g < CK_SCAN_GROUPS; g++) memcpy(target + g * 4 * CK_SCAN_BLOCK, lead + 4 * g, 4);
        }
    }
}
