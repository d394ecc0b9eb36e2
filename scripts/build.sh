#!/usr/bin/env bash
# Builds the native core (build/Release), the example programs and the TypeScript (dist).
set -euo pipefail
cd "$(dirname "$0")/.."
# Headers of the installed Node, so that node-gyp need not fetch them.
node_root=$(cd "$(dirname "$(readlink -f "$(command -v node)")")/.." && pwd)
args=()
[ -f "$node_root/include/node/node_api.h" ] && args+=("--nodedir=$node_root")
if [ ! -f build/Makefile ] || [ binding.gyp -nt build/Makefile ] ||
  [ -n "$(find native -name '*.cc' -newer build/Makefile -not -path '*/test/*' -print -quit)" ]; then
  npx --no-install node-gyp configure "${args[@]}" --loglevel=warn
fi
npx --no-install node-gyp build "${args[@]}" --jobs=max --loglevel=warn >build/build.log 2>&1 || {
  cat build/build.log >&2
  exit 1
}
[ -f examples/Makefile ] && make -s -C examples
npx --no-install tsc -p tsconfig.json
