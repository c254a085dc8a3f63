// SPDX-License-Identifier: Apache-2.0
// The encoder's vectors of one build against those of sentence-transformers; .ci/neon builds and runs it for AArch64.
//
// neon MODEL.SAFETENSORS REFERENCE-TEXTS.NDJSON REFERENCE-VECTORS.F16 EVERY: takes every EVERY-th text.
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ck_encoder.h"

typedef struct file {
    const char *bytes;
    size_t size;
} file;

static void fail(const char *what) {
    fprintf(stderr, "neon: %s\n", what);
    exit(1);
}

static file map(const char *path) {
    int descriptor = open(path, O_RDONLY);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status)) fail(path);
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) fail(path);
    return (file){bytes, (size_t)status.st_size};
}

static file model;
static char *header;

// The numbers of a tensor. The file is the published one, so its header is taken as it is.
static const float *tensor(int layer, const char *name) {
    char key[128];
    if (layer < 0) snprintf(key, sizeof key, "\"%s\":", name);
    else snprintf(key, sizeof key, "\"encoder.layer.%d.%s\":", layer, name);
    const char *at = strstr(header, key);
    at = at ? strstr(at, "\"data_offsets\":[") : NULL;
    if (!at) fail(key);
    return (const float *)(model.bytes + 8 + strlen(header) + strtoull(at + 16, NULL, 10));
}

#define AFFINE(name) {tensor(i, name ".weight"), tensor(i, name ".bias")}

static ck_encoder_tensors tensors(ck_encoder_layer_tensors *layers) {
    uint64_t length;
    memcpy(&length, model.bytes, 8);
    header = strndup(model.bytes + 8, length);
    for (int i = 0; i < CK_ENCODER_LAYERS; i++) {
        layers[i] = (ck_encoder_layer_tensors){
            AFFINE("attention.self.query"),   AFFINE("attention.self.key"),
            AFFINE("attention.self.value"),   AFFINE("attention.output.dense"),
            AFFINE("attention.output.LayerNorm"), AFFINE("intermediate.dense"),
            AFFINE("output.dense"),           AFFINE("output.LayerNorm")};
    }
    return (ck_encoder_tensors){
        tensor(-1, "embeddings.word_embeddings.weight"), 30522, tensor(-1, "embeddings.position_embeddings.weight"),
        tensor(-1, "embeddings.token_type_embeddings.weight"),
        {tensor(-1, "embeddings.LayerNorm.weight"), tensor(-1, "embeddings.LayerNorm.bias")}, layers};
}

static double cosine(const float *a, const uint16_t *half) {
    double ab = 0, aa = 0, bb = 0;
    for (int k = 0; k < CK_ENCODER_DIMENSIONS; k++) {
        int exponent = half[k] >> 10 & 31, fraction = half[k] & 1023;
        double b = ldexp(exponent ? 1024 + fraction : fraction, (exponent ? exponent : 1) - 25);
        if (half[k] & 0x8000) b = -b;
        ab += a[k] * b;
        aa += (double)a[k] * a[k];
        bb += b * b;
    }
    return ab / sqrt(aa * bb);
}

int main(int count, char **arguments) {
    if (count != 5) fail("takes four arguments");
    model = map(arguments[1]);
    file texts = map(arguments[2]), vectors = map(arguments[3]);
    int every = atoi(arguments[4]), bad = every < 1;
    ck_encoder_layer_tensors layers[CK_ENCODER_LAYERS];
    ck_encoder_tensors all = tensors(layers);
    const double least[] = {0.99999, 0.9999, 0.99}, mean[] = {0.999999, 0.99999, 0.998};
    const char *names[] = {"fp32", "int16", "int8"};
    for (int precision = 0; !bad && precision < 3; precision++) {
        ck_encoder *encoder;
        if (ck_encoder_create(&all, precision, ck_isa_best(), &encoder)) fail("the encoder cannot be made");
        ck_encoder_workspace *workspace = ck_encoder_workspace_create();
        const char *line = texts.bytes, *end = texts.bytes + texts.size;
        double sum = 0, worst = 1;
        int taken = 0;
        for (int text = 0; line < end; text++, line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1) {
            if (text % every) continue;
            const char *at = memmem(line, (size_t)(end - line), "\"ids\":[", 7);
            if (!at) fail("the texts have no ids");
            int32_t ids[CK_ENCODER_MAXIMUM_TOKENS], length = 0;
            for (at += 7; *at != ']' && length < CK_ENCODER_MAXIMUM_TOKENS; at += *at == ',')
                ids[length++] = (int32_t)strtol(at, (char **)&at, 10);
            float vector[CK_ENCODER_DIMENSIONS];
            if (ck_encoder_encode(encoder, workspace, ids, &length, 1, vector)) fail("a text cannot be encoded");
            double similarity = cosine(vector, (const uint16_t *)vectors.bytes + (size_t)text * CK_ENCODER_DIMENSIONS);
            sum += similarity;
            worst = fmin(worst, similarity);
            taken++;
        }
        printf("%s %s: %d texts, cosine mean %.7f, least %.7f\n", ck_isa_name(ck_isa_best()), names[precision], taken,
               sum / taken, worst);
        bad |= !(worst >= least[precision] && sum / taken >= mean[precision]);
        ck_encoder_workspace_destroy(workspace);
        ck_encoder_destroy(encoder);
    }
    return bad;
}
