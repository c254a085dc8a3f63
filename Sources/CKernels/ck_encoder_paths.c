// SPDX-License-Identifier: Apache-2.0
// The forward pass once for each instruction set; the paths differ in the width of a vector and in the int16 product.
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "ck_encoder_model.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
// The panels lie one behind the other, so reading ahead crosses from one into the next. Weights come from the last
// cache: at 12 tokens 0.64 ms with 16 KiB ahead, 0.74 ms with 4 KiB, 1.05 ms without; further ahead is no better.
#define CK_PREFETCH_BYTES 16384
#define CK_PREFETCH(p, bytes) \
    for (int line = 0; line < (bytes); line += 64) __builtin_prefetch((p) + CK_PREFETCH_BYTES + line)

#define CK_LOG2_E 1.44269504f

typedef int32_t ck_dword __attribute__((may_alias));
typedef float ck_single __attribute__((may_alias));
typedef float ck_four __attribute__((ext_vector_type(4)));
typedef ck_four ck_loose_four __attribute__((aligned(4), may_alias));

static const int32_t ck_lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Four lanes, and no instruction by name: the compiler makes of it what the target's base has. On AArch64 that is
// NEON with its widening multiply-add.
typedef int16_t ck_short4 __attribute__((ext_vector_type(4)));
typedef int16_t ck_short8 __attribute__((ext_vector_type(8)));
typedef int32_t ck_int4 __attribute__((ext_vector_type(4)));

CK_INLINE ck_int4 ck_dot_portable(ck_int4 sum, int32_t pair, ck_int4 weights) {
    ck_short8 halves = (ck_short8)weights;
    // By lanes of one vector, which AArch64 multiplies by without spreading them first.
    ck_short8 pairs = (ck_short8)(ck_int4)pair;
    ck_short4 first = __builtin_shufflevector(pairs, pairs, 0, 0, 0, 0);
    ck_short4 second = __builtin_shufflevector(pairs, pairs, 1, 1, 1, 1);
    sum += __builtin_convertvector(halves.lo, ck_int4) * __builtin_convertvector(first, ck_int4);
    return sum + __builtin_convertvector(halves.hi, ck_int4) * __builtin_convertvector(second, ck_int4);
}

#define CK_PATH(name) ck_##name##_portable
#define CK_LANES 4
#if defined(__aarch64__)
#define CK_TILE_ROWS 12
#else
#define CK_TILE_ROWS 4
#endif
#define CK_ADJACENT 0
#define CK_DOT(sum, a, b) ck_dot_portable(sum, a, b)
#include "ck_encoder_forward.h"
#undef CK_PATH
#undef CK_LANES
#undef CK_TILE_ROWS
#undef CK_ADJACENT
#undef CK_DOT

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_PATH(name) ck_##name##_avx2
#define CK_LANES 8
#define CK_TILE_ROWS 6
#define CK_ADJACENT 1
#define CK_DOT(sum, a, b) \
    ((sum) + (ck_integers_avx2)_mm256_madd_epi16(_mm256_set1_epi32(a), (__m256i)(b)))
#include "ck_encoder_forward.h"
#undef CK_PATH
#undef CK_LANES
#undef CK_TILE_ROWS
#undef CK_ADJACENT
#undef CK_DOT
#pragma clang attribute pop


#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,tune=icelake-server"))), apply_to = function)
#define CK_PATH(name) ck_##name##_avx512
#define CK_LANES 16
#define CK_TILE_ROWS 14
#define CK_ADJACENT 1
#define CK_DOT(sum, a, b) \
    ((sum) + (ck_integers_avx512)_mm512_madd_epi16(_mm512_set1_epi32(a), (__m512i)(b)))
#include "ck_encoder_forward.h"
#undef CK_PATH
#undef CK_LANES
#undef CK_TILE_ROWS
#undef CK_ADJACENT
#undef CK_DOT
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,tune=icelake-server"))), \
    apply_to = function)

// By name, as clang takes the intrinsic apart into a multiplication and an addition wherever it believes that to be
// faster, which halves the rate.
CK_INLINE __m512i ck_dot_vnni(__m512i sum, __m512i pair, __m512i weights) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(pair), "v"(weights));
    return sum;
}

CK_INLINE __m512i ck_dot_quads_vnni(__m512i sum, __m512i quad, __m512i weights) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(quad), "v"(weights));
    return sum;
}

#define CK_PATH(name) ck_##name##_vnni
#define CK_LANES 16
#define CK_TILE_ROWS 14
#define CK_ADJACENT 1
#define CK_DOT(sum, a, b) \
    ((ck_integers_vnni)ck_dot_vnni((__m512i)(sum), _mm512_set1_epi32(a), (__m512i)(b)))
#define CK_DOT_QUADS(sum, a, b) \
    ((ck_integers_vnni)ck_dot_quads_vnni((__m512i)(sum), _mm512_set1_epi32(a), (__m512i)(b)))
#include "ck_encoder_forward.h"
#undef CK_PATH
#undef CK_LANES
#undef CK_TILE_ROWS
#undef CK_ADJACENT
#undef CK_DOT
#pragma clang attribute pop

#endif

#define CK_ENCODER_PATH(name, ...) {ck_forward_##name, ck_multiply_##name, ck_attend_##name, __VA_ARGS__}

const ck_encoder_path *ck_encoder_path_for(ck_isa isa) {
    static const ck_encoder_path portable = CK_ENCODER_PATH(portable, 4, 0, 2);
    switch (isa) {
    case CK_ISA_SCALAR:
        return &portable;
#if defined(__aarch64__)
    case CK_ISA_NEON:
        return &portable;
#elif defined(__x86_64__)
    case CK_ISA_AVX2: {
        static const ck_encoder_path avx2 = CK_ENCODER_PATH(avx2, 8, 1, 2);
        return &avx2;
    }
    case CK_ISA_AVX512: {
        static const ck_encoder_path avx512 = CK_ENCODER_PATH(avx512, 16, 1, 2);
        return &avx512;
    }
    case CK_ISA_AVX512VNNI: {
        static const ck_encoder_path vnni = CK_ENCODER_PATH(vnni, 16, 1, 4);
        return &vnni;
    }
#endif
    default:
        return NULL;
    }
}
