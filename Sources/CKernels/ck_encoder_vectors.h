// SPDX-License-Identifier: Apache-2.0
// Vectors of CK_LANES numbers and the functions over them; a part of ck_encoder_forward.h, which see.
//
// Written with the compiler's vector types, which every target has. Multiplications and additions within one expression
// are fused where the target can.

#define CK_VECTOR CK_PATH(vector)
#define CK_INTEGERS CK_PATH(integers)
#define CK_SHORTS CK_PATH(shorts)
#define CK_BYTES CK_PATH(bytes)
#define CK_HALVES CK_PATH(halves)

typedef float CK_VECTOR __attribute__((ext_vector_type(CK_LANES)));
typedef int32_t CK_INTEGERS __attribute__((ext_vector_type(CK_LANES)));
typedef int16_t CK_SHORTS __attribute__((ext_vector_type(CK_LANES)));
typedef uint8_t CK_BYTES __attribute__((ext_vector_type(CK_LANES)));
typedef int16_t CK_HALVES __attribute__((ext_vector_type(2 * CK_LANES)));  // a vector as int16
typedef int8_t CK_PATH(narrow) __attribute__((ext_vector_type(2 * CK_LANES)));
typedef CK_VECTOR CK_PATH(loose_vector) __attribute__((aligned(4), may_alias));
typedef CK_INTEGERS CK_PATH(loose_integers) __attribute__((aligned(4), may_alias));
typedef CK_SHORTS CK_PATH(loose_shorts) __attribute__((aligned(2), may_alias));
typedef CK_BYTES CK_PATH(loose_bytes) __attribute__((aligned(1), may_alias));
typedef CK_PATH(narrow) CK_PATH(loose_narrow) __attribute__((aligned(1), may_alias));

#define CK_LOAD(p) (*(const CK_PATH(loose_vector) *)(p))
#define CK_STORE(p, v) (*(CK_PATH(loose_vector) *)(p) = (v))
#define CK_LOAD_INTEGERS(p) (*(const CK_PATH(loose_integers) *)(p))
#define CK_STORE_INTEGERS(p, v) (*(CK_PATH(loose_integers) *)(p) = (v))
#define CK_STORE_SHORTS(p, v) (*(CK_PATH(loose_shorts) *)(p) = __builtin_convertvector(v, CK_SHORTS))
#define CK_STORE_BYTES(p, v) (*(CK_PATH(loose_bytes) *)(p) = __builtin_convertvector(v, CK_BYTES))
#define CK_LARGER(a, b) ((a) > (b) ? (a) : (b))
#define CK_SMALLER(a, b) ((a) < (b) ? (a) : (b))

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

CK_INLINE CK_INTEGERS CK_PATH(rounded)(CK_VECTOR v) {
    return (CK_INTEGERS)(v + CK_ROUNDER) - CK_ROUNDER_BITS;
}

// 2^x for x <= 0; what lies under -125 counts as -125. Relative error below 3e-7.
CK_INLINE CK_VECTOR CK_PATH(power_of_two)(CK_VECTOR x) {
    x = CK_LARGER(x, (CK_VECTOR)-125.0f);
    CK_VECTOR shifted = x + CK_ROUNDER;
    CK_VECTOR r = x - (shifted - CK_ROUNDER);  // -0.5...0.5, exact
    CK_VECTOR p = r * 1.326473180e-3f + 9.671513944e-3f;
    p = p * r + 5.550733732e-2f;
    p = p * r + 2.402224206e-1f;
    p = p * r + 6.931469776e-1f;
    p = p * r + 1.0f;
    // The low bits of `shifted` are what to add to the exponent; all others leave at the top.
    return (CK_VECTOR)((CK_INTEGERS)p + ((CK_INTEGERS)shifted << 23));
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
