// SPDX-License-Identifier: Apache-2.0
// The streaming SHA-256 functions are deprecated in OpenSSL 3 in favour of EVP, which fetches its algorithm and
// allocates a context for each digest; an entry id is computed for every lookup and must do neither.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
