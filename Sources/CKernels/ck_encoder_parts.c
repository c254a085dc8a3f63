// SPDX-License-Identifier: Apache-2.0
#include "ck_encoder_parts.h"

#include <stdlib.h>

#include "ck_encoder_model.h"

static int is_width(size_t width) { return width == CK_HIDDEN || width == CK_FEED_FORWARD; }

ck_encoder_status ck_encoder_multiply(ck_encoder_precision precision, ck_isa isa, const ck_encoder_affine *matrix,
                                      size_t inputs, size_t outputs, const float *rows, size_t tokens, float *result) {
    const ck_encoder_path *path = ck_encoder_path_for(isa);
    if (!path || !ck_isa_supported(isa)) return CK_ENCODER_UNSUPPORTED_ISA;
    if (!is_width(inputs) || !is_width(outputs) || tokens < 1 || tokens > CK_TOKENS) return CK_ENCODER_BAD_LENGTH;
    ck_encoder encoder = {.precision = precision};
    ck_linear linear;
    ck_arena arena = {NULL, 0};
    ck_linear_lay_out(&arena, &linear, inputs, outputs, precision);
    void *block = arena.base = ck_allocate(arena.used);
    arena.used = 0;
    ck_encoder_workspace *workspace = ck_encoder_workspace_create();
    ck_encoder_status status = block && workspace ? CK_ENCODER_OK : CK_ENCODER_OUT_OF_MEMORY;
    if (status == CK_ENCODER_OK) {
        ck_linear_lay_out(&arena, &linear, inputs, outputs, precision);
        if (ck_linear_pack(&encoder, &linear, path, matrix, 0, outputs, 1)) {
            path->multiply(&encoder, workspace, &linear, rows, tokens, result);
        } else {
            status = CK_ENCODER_BAD_WEIGHT;
        }
    }
    ck_encoder_workspace_destroy(workspace);
    free(block);
    return status;
}

ck_encoder_status ck_encoder_attend(ck_encoder_precision precision, ck_isa isa, const float *qkv, size_t tokens,
                                    float *context) {
    const ck_encoder_path *path = ck_encoder_path_for(isa);
    if (!path || !ck_isa_supported(isa)) return CK_ENCODER_UNSUPPORTED_ISA;
    if (tokens < 1 || tokens > CK_TOKENS) return CK_ENCODER_BAD_LENGTH;
    ck_encoder_workspace *workspace = ck_encoder_workspace_create();
    if (!workspace) return CK_ENCODER_OUT_OF_MEMORY;
    // Of its own: the kernels read up to three rows beyond the text.
    for (size_t i = 0; i < tokens * CK_QKV; i++) workspace->qkv[i] = qkv[i];
    ck_encoder encoder = {.precision = precision};
    path->attend(&encoder, workspace, workspace->qkv, tokens, workspace->update);
    for (size_t i = 0; i < tokens * CK_HIDDEN; i++) context[i] = workspace->update[i];
    ck_encoder_workspace_destroy(workspace);
    return CK_ENCODER_OK;
}
