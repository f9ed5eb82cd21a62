#!/usr/bin/env bash
# Run the method in WORKSPACE inside a container: without network, on a read-only file
# system, with nothing of this machine but the workspace, of which only the folder of
# answers can be written to.
#
# usage: run-in-container.sh WORKSPACE
set -euo pipefail

if [[ $# -ne 1 || ! -d ${1:-}/answers ]]; then
  echo "usage: run-in-container.sh WORKSPACE (a folder with a folder answers); found: $*" >&2
  exit 2
fi
workspace="$(cd "$1" && pwd -P)"
# a comma would start another option of --mount
if [[ $workspace == *[,\"]* ]]; then
  echo "the path of a workspace may hold no comma and no quote; found: $workspace" >&2
  exit 2
fi

# the user in the container is the caller, who can then remove what was written; root's
# stand-in is nobody
user="$(id -u):$(id -g)"
if [[ $(id -u) -eq 0 ]]; then
  user=65534:65534
  chown "$user" "$workspace/answers"
  chmod -R go+rX "$workspace"
fi

image="${BENCH_IMAGE:-bench-reproduction}"
# the limits stand in the request, which the trusted side writes
limit() { jq --exit-status ".limits.$1 | ceil" "$workspace/request.json"; }
memory="$(limit memory_gb)g"
seconds="$(limit timeout_s)"
processes="$(limit processes)"
file="$(limit file_mb)"
name="bench-reproduction-$$"

# killing the client leaves a container alive
stop() { docker kill "$name" >/dev/null 2>&1 || true; }
trap stop EXIT
trap 'exit 143' TERM INT HUP

# The clock is the first process of the container: nothing in there can stop it, and the
# rest dies with it. In the background, as bash looks at signals only between commands.
docker run \
  --name "$name" \
  --rm \
  --pull never \
  --network none \
  --ipc none \
  --read-only \
  --tmpfs /tmp:rw,noexec,nosuid,nodev,size=256m,mode=1777 \
  --mount "type=bind,source=$workspace,target=/workspace,readonly" \
  --mount "type=bind,source=$workspace/answers,target=/workspace/answers" \
  --workdir /tmp \
  --user "$user" \
  --cap-drop ALL \
  --security-opt no-new-privileges \
  --memory "$memory" \
  --memory-swap "$memory" \
  --cpus 2 \
  --pids-limit "$processes" \
  --ulimit core=0 \
  --ulimit nofile=1024 \
  --ulimit fsize=$((file * 1048576)) \
  --env HOME=/tmp \
  --env HF_HUB_OFFLINE=1 \
  --env OMP_NUM_THREADS=2 \
  --entrypoint timeout \
  "$image" \
  --kill-after=10 "$seconds" python -I -m bench.reproduction.child /workspace &
wait $!
