#!/usr/bin/env bash
# Commit the board, push it to the branch `board` and open its pull request, if there is
# anything new and none is open. Needs GH_TOKEN, in a checkout of main.
set -euo pipefail
: "${GH_TOKEN:?the token that may push the branch}"

git add -- records leaderboard.md leaderboard.json leaderboard.csv \
  docs/findings.md docs/images/cost.png
if git diff --cached --quiet; then
  echo "The board is up to date."
  exit 0
fi
git -c user.name='github-actions[bot]' \
  -c user.email='41898282+github-actions[bot]@users.noreply.github.com' \
  commit --quiet --message 'Board: generated after a merge'

# gh hands the token to git when it is asked for it: it stands in no file and no argument
git -c credential.helper= -c credential.helper='!gh auth git-credential' \
  push --force origin HEAD:refs/heads/board

open="$(gh pr list --head board --base main --state open --json number --jq length)"
if [[ $open == 0 ]]; then
  gh pr create --head board --base main --title 'Board: generated after a merge' \
    --body 'The ledger, the records and the board as the workflow board.yml generates them.'
fi
