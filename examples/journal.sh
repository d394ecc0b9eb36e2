#!/bin/sh
# A store in plain sh that is right: the whole state is written to a new file, flushed, and renamed over the old one.
#   journal.sh setup|run|check
set -eu
command=${1-}
folder=${PLUGPULL_DIR:?}
seed=${PLUGPULL_SEED:?}

# The state after commit $1: its number, then 40 lines that follow from it and the seed.
state() {
  echo "commit $1"
  x=$(((seed + $1 * 7919) % 2147483647))
  i=0
  while [ $i -lt 40 ]; do
    x=$(((x * 48271 + i) % 2147483647))
    echo "line $i $x"
    i=$((i + 1))
  done
}

commit() {
  state "$1" >"$folder/state.new"
  sync "$folder/state.new"
  mv "$folder/state.new" "$folder/state"
  sync "$folder"
}

# Number of the commit that the data say they hold.
held() {
  read -r word k <"$folder/state" || return 1
  case $word:$k in commit:*[!0-9]*) return 1 ;; commit:?*) echo "$k" ;; *) return 1 ;; esac
}

case $command in
  setup) commit 0 ;;
  run)
    k=$(held)
    while :; do
      k=$((k + 1))
      commit $k
      echo "plugpull commit $k"
      read -r answer || exit 0
    done
    ;;
  check)
    rm -f "$folder/state.new"
    k=$(held) || { echo "there is no commit number in the file" >&2; exit 1; }
    echo "plugpull state $k"
    [ "$(state "$k")" = "$(cat "$folder/state")" ] || { echo "the file is not that of commit $k" >&2; exit 1; }
    ;;
  *) echo "usage: journal.sh setup|run|check" >&2; exit 64 ;;
esac
