// SPDX-License-Identifier: Apache-2.0
#include "ck_isa.h"

#include <stdlib.h>

int ck_isa_supported(ck_isa isa) {
    switch (isa) {
    case CK_ISA_SCALAR:
        return 1;
#if defined(__x86_64__)
    case CK_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CK_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               ck_isa_supported(CK_ISA_AVX2);
    case CK_ISA_AVX512VNNI:
        return __builtin_cpu_supports("avx512vnni") && ck_isa_supported(CK_ISA_AVX512);
#elif defined(__aarch64__)
    case CK_ISA_NEON:
        return 1;  // part of the base architecture
#endif
    default:
        return 0;
    }
}

ck_isa ck_isa_best(void) {
    static const ck_isa preferred[] = {CK_ISA_AVX512VNNI, CK_ISA_AVX512, CK_ISA_AVX2, CK_ISA_NEON};
    for (unsigned i = 0; i < sizeof preferred / sizeof preferred[0]; i++) {
        if (ck_isa_supported(preferred[i])) return preferred[i];
    }
    return CK_ISA_SCALAR;
}

const char *ck_isa_name(ck_isa isa) {
    switch (isa) {
    case CK_ISA_NEON: return "neon";
    case CK_ISA_AVX2: return "avx2";
    case CK_ISA_AVX512: return "avx512";
    case CK_ISA_AVX512VNNI: return "avx512vnni";
    default: return "scalar";
    }
}

const char *ck_isa_requested(void) { return getenv("SEMCACHED_ISA"); }
