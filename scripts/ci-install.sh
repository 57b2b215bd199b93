#!/usr/bin/env bash
# Installs the committed state on what looks like a fresh machine: a new clone, no settings of the
# user. A plain install builds and warns of nothing; a production install, which has no compiler,
# ends well and says what to run.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
registry=$(cd "$root" && npm config get registry 2>/dev/null)

# npm_* variables of a surrounding `npm run` would pass that user's settings on.
fresh_npm_ci() {
  local directory=$1
  shift
  git clone --quiet "$root" "$directory"
  (
    cd "$directory"
    unset "${!npm_@}"
    env "$@" npm ci --userconfig=/dev/null --registry "$registry" --no-audit --no-fund
  ) >"$directory.log" 2>&1 || {
    cat "$directory.log"
    echo "ci-install: npm ci failed in a fresh clone ($*)" >&2
    return 1
  }
}

fresh_npm_ci "$work/plain"
if grep -i 'npm warn' "$work/plain.log"; then
  echo 'ci-install: npm ci warns in a fresh clone' >&2
  exit 1
fi
(cd "$work/plain" && node dist/primary.js --version)

fresh_npm_ci "$work/production" NODE_ENV=production
if (cd "$work/production" && node scripts/start.mjs 2>"$work/start.log"); then
  echo 'ci-install: npm start ran without a build' >&2
  exit 1
fi
grep 'bigcache: dist/ is missing' "$work/start.log"
