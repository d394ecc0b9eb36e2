#!/bin/sh
# gawk's persistent heap under torture: variables that live in the file $GAWK_PERSIST_FILE.
#   gawk-store.sh setup|run|check
# One run of gawk that changes a dozen elements of an array, and a sync of the heap's file, is one commit. gawk's manual
# promises nothing for a crash in the middle of a run.
set -eu
command=${1-}
heap=${PLUGPULL_DIR:?}/heap.pma
seed=${PLUGPULL_SEED:?}
gawk --version | grep -q PMA || { echo 'this gawk has no persistent heap (PMA)' >&2; exit 69; }
export GAWK_PERSIST_FILE="$heap"

# Functions live in the heap too, so only set-up defines them.
# The value of element `i` after the commit `k` that changed it last, and which elements commit k changes.
functions='
  function value(i, k, n) { n = (seed * 31 + i * 7919 + k * 104729) % 2147483647; return sprintf("%d:%0*d", k, 8 + n % 300, n) }
  function element(k, j) { return (seed + k * 48271 + j * 69621) % 400 }
'
case $command in
  setup)
    # Sparse, as the manual asks; its size is that of the heap, for ever.
    truncate -s 16M "$heap"
    gawk -v seed="$seed" "$functions"' BEGIN { for (i = 0; i < 400; i++) rows[i] = value(i, 0); held = 0 }'
    sync "$heap" "$PLUGPULL_DIR"
    ;;
  run)
    k=$(gawk 'BEGIN { print held }')
    while :; do
      k=$((k + 1))
      gawk -v seed="$seed" -v k="$k" 'BEGIN { for (j = 0; j < 12; j++) { i = element(k, j); rows[i] = value(i, k) } held = k }'
      sync "$heap"
      echo "plugpull commit $k"
      read -r answer || exit 0
    done
    ;;
  check)
    gawk -v seed="$seed" '
      BEGIN {
        for (k = 1; k <= held; k++) for (j = 0; j < 12; j++) last[element(k, j)] = k
        for (i = 0; i < 400; i++)
          if (rows[i] != value(i, last[i] + 0)) wrong++
        delete last
        if (wrong || length(rows) != 400) {
          printf "%d elements are not those of commit %d\n", wrong, held > "/dev/stderr"
          wrong = 0
          exit 1
        }
        print "plugpull state " held
      }'
    ;;
  *) echo 'usage: gawk-store.sh setup|run|check' >&2; exit 64 ;;
esac
