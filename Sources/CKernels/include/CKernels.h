// SPDX-License-Identifier: Apache-2.0
// SIMD kernels in C: what Swift cannot yet express with control over the instructions.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ck_encoder.h"
#include "ck_encoder_parts.h"
#include "ck_isa.h"
#include "ck_scan.h"

#endif
