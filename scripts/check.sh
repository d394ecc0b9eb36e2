#!/usr/bin/env bash
# All checks of the project, in the order in which they are likely to fail.
set -euo pipefail
cd "$(dirname "$0")/.."

section() { printf '\n== %s\n' "$*"; }

section "format"
npx --no-install prettier --check . >/dev/null || { npx --no-install prettier --list-different . >&2; exit 1; }
find native examples \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) -print0 | xargs -0 clang-format --dry-run --Werror

section "lint"
npx --no-install eslint . --max-warnings 0

section "native tests under AddressSanitizer and UndefinedBehaviorSanitizer"
scripts/with-reflink.sh make -s -C native/test -j"$(nproc)" check
make -s -C native/disk/test -j"$(nproc)" check

section "tests"
# Files at a time, as many as cores: much of their time is waiting.
npx --no-install mocha --parallel --jobs "$(nproc)" "$@"
