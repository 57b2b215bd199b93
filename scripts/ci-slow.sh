#!/usr/bin/env bash
# Runs the slow suites: real pages, a million entries, kill -9 under load, pm2. Installs the pages and
# pm2 first.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d /usr/share/doc/postgresql-doc-15/html ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-doc-15
fi

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
npm install --prefix "$tools" --no-audit --no-fund --ignore-scripts pm2@7.0.4
export BIGCACHE_PM2="$tools/node_modules/pm2/bin/pm2"

npm run test:slow
