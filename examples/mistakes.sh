#!/bin/sh
# A store in plain sh with one mistake, chosen by the first argument; docs/first-finding.md shows how each is found.
#   mistakes.sh none|data|folder|content|late setup|run|check
# Records are appended to `log`; `head` says how many of them count, and is replaced as a whole.
set -eu
mistake=${1-} command=${2-}
folder=${PLUGPULL_DIR:?}
seed=${PLUGPULL_SEED:?}

usage() { echo 'usage: mistakes.sh none|data|folder|content|late setup|run|check' >&2; exit 64; }
case $mistake in none | data | folder | content | late) ;; *) usage ;; esac

record() { echo "record $1 $(((seed + $1 * 7919) % 2147483647))"; }

# Runs a command of a right commit, unless it is the one that the mistake leaves out.
but_for() { [ "$mistake" = "$1" ] || { shift; "$@"; }; }

# Makes $1 records count.
replace_head() {
  echo "$1" >"$folder/head.new"
  but_for content sync "$folder/head.new" # mistake: a new name for a file whose content is not durable
  mv "$folder/head.new" "$folder/head"
  but_for late but_for folder sync "$folder" # mistake: the rename itself is not durable
}

commit() {
  if [ "$mistake" = late ]; then sync "$folder"; fi # mistake: what was acked last time becomes durable now
  record "$1" >>"$folder/log"
  but_for data sync "$folder/log" # mistake: head may count a record that is not there
  replace_head "$1"
}

case $command in
  setup)
    mistake=none
    : >"$folder/log"
    sync "$folder/log"
    replace_head 0
    ;;
  run)
    k=$(cat "$folder/head")
    while :; do
      k=$((k + 1))
      commit $k
      echo "plugpull commit $k"
      read -r answer || exit 0
    done
    ;;
  check)
    read -r k <"$folder/head" || { echo 'head is empty' >&2; exit 1; }
    case $k in '' | *[!0-9]*) echo "head is no number: $k" >&2; exit 1 ;; esac
    i=0
    while [ $i -lt "$k" ]; do
      i=$((i + 1))
      record $i
    done >"$folder/expected"
    head -n "$k" "$folder/log" | cmp -s - "$folder/expected" ||
      { echo "log does not hold the $k records that head counts" >&2; exit 1; }
    rm -f "$folder/expected" "$folder/head.new"
    # What was appended by a commit that head never came to count.
    head -n "$k" "$folder/log" >"$folder/log.new"
    sync "$folder/log.new"
    mv "$folder/log.new" "$folder/log"
    sync "$folder"
    echo "plugpull state $k"
    ;;
  *) usage ;;
esac
