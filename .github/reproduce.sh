#!/usr/bin/env bash
# Reproduce one submission in the container and write its record. What the method prints
# reaches the log as text: it cannot speak to the runner.
#
# usage: reproduce.sh DATA TRUSTED METHOD COMMIT RECORD
set -euo pipefail
data="$1" trusted="$2" method="$3" commit="$4" record="$5"

# the review allows no other names; what becomes a path is looked at again all the same
if [[ ! $method =~ ^[a-z0-9][a-z0-9-]*$ ]]; then
  echo "a method is named by lower-case letters, digits and hyphens" >&2
  exit 2
fi

log="$(mktemp)"
code=0
bench reproduce "$data/submissions/$method" --commit "$commit" --root "$trusted" \
  --runner "$trusted/.github/run-in-container.sh" --out "$record" > "$log" 2>&1 || code=$?

token="$(openssl rand -hex 32)"
echo "::stop-commands::$token"
cat "$log"
echo
echo "::$token::"

# indented, so that all of it is one block of code
{
  echo "## Reproduction"
  echo
  tr -d '\r' < "$log" | sed 's/^/    /'
} >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
exit "$code"
