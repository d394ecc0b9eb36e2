#!/usr/bin/env bash
# All checks of the project; those that can run side by side do.
set -euo pipefail
cd "$(dirname "$0")/.."

section() { printf '\n== %s\n' "$*"; }

logs=$(mktemp -d)
beside=()
trap 'for pid in "${beside[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$logs"' EXIT

# What the tests of guests need, kept in the cache: built once on a machine, while the rest is checked.
bin/plugpull image build 6.1 6.12 >"$logs/images" 2>&1 &
images=$!
beside=("$images")

check_text() {
  section "format"
  npx --no-install prettier --check . >/dev/null || { npx --no-install prettier --list-different .; return 1; }
  find native examples \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) -print0 |
    xargs -0 clang-format --dry-run --Werror || return 1
  section "lint"
  npx --no-install eslint . --max-warnings 0
}
check_text >"$logs/text" 2>&1 &
text=$!
beside+=("$text")

section "native tests under AddressSanitizer and UndefinedBehaviorSanitizer"
make -s -C native/test -j"$(nproc)" all
# Those of the core wait for processes: the crash disk's are built meanwhile.
make -s -C native/disk/test -j"$(nproc)" check >"$logs/disk" 2>&1 &
disk=$!
beside+=("$disk")
scripts/with-reflink.sh make -s -C native/test check
wait "$disk" || { cat "$logs/disk" >&2; exit 1; }
cat "$logs/disk"

wait "$text" || { cat "$logs/text" >&2; exit 1; }
cat "$logs/text"

section "guest images"
if wait "$images"; then
  tail -n 4 "$logs/images"
else
  cat "$logs/images" >&2
  echo "check: there are no guest images; going on without" >&2
fi
beside=()

section "tests"
# Files at a time, as many as cores: more of them take as long.
npx --no-install mocha --parallel --jobs "$(nproc)" "$@"
