#!/usr/bin/env bash
# Build the image that submitted methods run in, from the checkout that holds this script.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"

# only what the image takes: a folder with nothing else needs no list of exceptions
context="$(mktemp -d)"
trap 'rm -rf "$context"' EXIT
cp -R "$root/pyproject.toml" "$root/constraints.txt" "$root/bench" "$context"
cp "$here/requirements.py" "$context"

docker build --tag "${BENCH_IMAGE:-bench-reproduction}" --file "$here/Dockerfile" "$context"
