#!/bin/sh
# A store in plain sh that is wrong on purpose: each commit goes past the page cache to the disk, but the disk is never
# told to flush. No kill can show that, not even that of a virtual machine; a power cut can.
#   unflushed.sh setup|run|check
set -eu
command=${1-}
folder=${PLUGPULL_DIR:?}
file=$folder/number

# Writes the number of a commit in place, one block of the disk.
commit() {
  printf '%-4095d\n' "$1" | dd of="$file" bs=4096 count=1 iflag=fullblock oflag=direct conv=notrunc status=none
}

case $command in
  setup)
    commit 0
    sync "$file" "$folder"
    ;;
  run)
    read -r k <"$file"
    while :; do
      k=$((k + 1))
      commit $k
      echo "plugpull commit $k"
      read -r answer || exit 0
    done
    ;;
  check)
    read -r k <"$file" || { echo "the file is empty" >&2; exit 1; }
    case $k in *[!0-9]* | '') echo "no number: $k" >&2; exit 1 ;; esac
    echo "plugpull state $k"
    ;;
  *) echo "usage: unflushed.sh setup|run|check" >&2; exit 64 ;;
esac
