#!/bin/sh
# A store in plain sh that is wrong on purpose: two files that belong together are rewritten in place, one after the
# other. A kill between the two writes leaves one new and one old; a kill inside one leaves it cut short.
#   wrong.sh setup|run|check
set -eu
command=${1-}
folder=${PLUGPULL_DIR:?}
seed=${PLUGPULL_SEED:?}

# The content of either file after commit $1.
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
  state "$1" >"$folder/left"
  state "$1" >"$folder/right"
  sync "$folder/left" "$folder/right"
}

case $command in
  setup) commit 0 ;;
  run)
    read -r _ k <"$folder/left"
    while :; do
      k=$((k + 1))
      commit $k
      echo "plugpull commit $k"
      read -r answer || exit 0
    done
    ;;
  check)
    read -r _ k <"$folder/left" || { echo "left is empty" >&2; exit 1; }
    for file in left right; do
      [ "$(state "$k")" = "$(cat "$folder/$file")" ] || { echo "$file is not that of commit $k" >&2; exit 1; }
    done
    echo "plugpull state $k"
    ;;
  *) echo "usage: wrong.sh setup|run|check" >&2; exit 64 ;;
esac
