#!/usr/bin/env bash
# Copy the generated files of a board into a checkout. Whatever else lies in FROM stays
# there: these paths are all that a run can change on main.
#
# usage: take-board.sh FROM TO
set -euo pipefail
from="$1" to="$2"

odd="$(find "$from" ! -type f ! -type d -print)"
if [[ -n $odd ]]; then
  echo "regular files only; found: $odd" >&2
  exit 1
fi

# the ledger grows at its end: what it held has to be its beginning
old="$to/records/ledger.jsonl" new="$from/records/ledger.jsonl"
if [[ -f $old ]] && ! cmp --silent --bytes="$(stat -c %s "$old")" "$old" "$new"; then
  echo "records/ledger.jsonl does not begin with the ledger of main" >&2
  exit 1
fi

for file in leaderboard.md leaderboard.json leaderboard.csv docs/findings.md \
  docs/images/cost.png   records/ledger.jsonl; do
  if [[ -f $from/$file ]]; then
    mkdir -p "$to/$(dirname "$file")"
    cp -- "$from/$file" "$to/$file"
  fi
done
shopt -s nullglob
for file in "$from"/records/reproductions/*.json "$from"/records/errata/*.json; do
  name="${file#"$from"/}"
  if [[ ! $name =~ ^records/[a-z]+/[a-z0-9][a-z0-9-]*\.json$ ]]; then
    echo "no record has this name: $(printf %q "$name")" >&2
    exit 1
  fi
  mkdir -p "$to/$(dirname "$name")"
  cp -- "$file" "$to/$name"
done
