#!/usr/bin/env bash
# Runs the slow suites: real pages, a million entries, kill -9 under load. Installs the pages first.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d /usr/share/doc/postgresql-doc-15/html ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-doc-15
fi
npm run test:slow
