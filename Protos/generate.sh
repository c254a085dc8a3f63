#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the C code of the schema with protoc-c. `--check` compares it with what is committed instead.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target="$here/../Sources/CCacheProto"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
protoc-c --proto_path="$here" --c_out="$fresh" semcached/v1/semantic_cache.proto semcached/v1/envelope.proto
mkdir -p "$fresh/out/include/semcached/v1"
mv "$fresh"/semcached/v1/*.h "$fresh/out/include/semcached/v1/"
mv "$fresh"/semcached/v1/*.c "$fresh/out/"
if [ "${1:-}" = --check ]; then
    for file in $(cd "$fresh/out" && find . -type f); do
        diff -u "$target/$file" "$fresh/out/$file" || { echo "run Protos/generate.sh and commit the result" >&2; exit 1; }
    done
    echo "generated code is up to date"
else
    mkdir -p "$target"
    cp -R "$fresh/out/." "$target/"
fi
