// SPDX-License-Identifier: Apache-2.0
#ifndef CK_ISA_H
#define CK_ISA_H

// The instruction sets that the kernels have a path for. Every kernel takes one explicitly, so that a test can run all
// the paths of one machine against each other; `ck_isa_best` is what the product passes.
#define CK_ISA_COUNT 5

typedef enum ck_isa {
    CK_ISA_SCALAR = 0,      // portable C
    CK_ISA_NEON = 1,        // AArch64 Advanced SIMD
    CK_ISA_AVX2 = 2,        // AVX2 + FMA
    CK_ISA_AVX512 = 3,      // AVX-512 F, BW, DQ, VL
    CK_ISA_AVX512VNNI = 4,  // the former and VNNI
} ck_isa;

// The fastest instruction set of this CPU. Detected once; safe to call from any thread.
ck_isa ck_isa_best(void);

// Whether this CPU can run the path; scalar always can.
int ck_isa_supported(ck_isa isa);

// A stable lower-case name, for logs, benchmarks and SEMCACHED_ISA.
const char *ck_isa_name(ck_isa isa);

// What the environment variable SEMCACHED_ISA says, or NULL. The composition of a process reads it once, at start; no
// kernel does.
const char *ck_isa_requested(void);

#endif
