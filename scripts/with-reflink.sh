#!/usr/bin/env bash
# Runs a command with PLUGPULL_REFLINK_DIR naming a folder that can clone files: as root an XFS image in memory, mounted in a
# mount namespace of its own, which takes the mount with it. Elsewhere the variable stays as it is.
set -euo pipefail
if [ -n "${PLUGPULL_REFLINK_DIR:-}" ] || [ "$(id -u)" != 0 ] || ! command -v mkfs.xfs >/dev/null; then
  exec "$@"
fi
if [ "${PLUGPULL_WITH_REFLINK:-}" != 1 ]; then
  exec env PLUGPULL_WITH_REFLINK=1 unshare --mount --propagation private "$0" "$@"
fi
mount -t tmpfs -o size=1g plugpull-reflink /mnt
mkfs.xfs -q -m reflink=1 -d file,name=/mnt/image,size=300m
mkdir /mnt/xfs
mount -o loop /mnt/image /mnt/xfs
PLUGPULL_REFLINK_DIR=/mnt/xfs exec "$@"
