#!/usr/bin/env bash
# Makes a fresh checkout ready: Debian packages (as root, else says which), npm packages, build.
set -euo pipefail
cd "$(dirname "$0")/.."

# package, and a file that shows that it is there
required=(
  "g++:/usr/bin/g++"
  "make:/usr/bin/make"
  "python3:/usr/bin/python3"
  "libxxhash-dev:/usr/include/xxhash.h"
  "libfuse3-dev:/usr/include/fuse3/fuse_lowlevel.h"
)
# Parts that are skipped by name where these are missing.
optional=(
  "util-linux:/usr/bin/unshare"
  "xfsprogs:/usr/sbin/mkfs.xfs"
  "e2fsprogs:/usr/sbin/mkfs.ext4"
  "btrfs-progs:/usr/sbin/mkfs.btrfs"
  "fuse3:/usr/bin/fusermount3"
  "user-mode-linux:/usr/bin/linux.uml"
  "kmod:/usr/sbin/insmod"
  "libsqlite3-dev:/usr/include/sqlite3.h"
  "libgdbm-dev:/usr/include/gdbm.h"
  "liblmdb-dev:/usr/include/lmdb.h"
  "gawk:/usr/bin/gawk"
  "qemu-system-x86:/usr/bin/qemu-system-x86_64"
  "mmdebstrap:/usr/bin/mmdebstrap"
  "squashfs-tools:/usr/bin/sqfstar"
  "uidmap:/usr/bin/newuidmap"
  "xz-utils:/usr/bin/xz"
  "zstd:/usr/bin/zstd"
)
# What only the project's own tests need.
testing=(
  "qemu-utils:/usr/bin/qemu-io"
  "doctest-dev:/usr/include/doctest/doctest.h"
  "clang-format:/usr/bin/clang-format"
  "chromium:/usr/bin/chromium"
  "openssh-server:/usr/sbin/sshd"
  "openssh-client:/usr/bin/ssh-keygen"
)

missing() {
  for entry in "$@"; do
    [ -e "${entry#*:}" ] || echo "${entry%%:*}"
  done
}

# In a shell of its own, so that its trap ends with it.
install_packages() (
  # Nothing that is installed here is to serve anybody: the tests start servers of their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || exit
  case " $* " in
    *" openssh-server "*) systemctl disable ssh.service ssh.socket >/dev/null 2>&1 || true ;;
  esac
)

wanted=("${required[@]}" "${optional[@]}")
[ "${1:-}" = "--with-tests" ] && wanted+=("${testing[@]}")
need=$(missing "${wanted[@]}" | tr '\n' ' ')
if [ -n "$need" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing Debian packages: $need" >&2
    install_packages $need >&2 || echo "setup: apt-get failed; going on with what is there" >&2
  else
    echo "setup: missing Debian packages; to install them: sudo apt-get install -y $need" >&2
  fi
  still=$(missing "${required[@]}" | tr '\n' ' ')
  if [ -n "$still" ]; then
    echo "setup: cannot build without: $still" >&2
    exit 69
  fi
fi

if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "setup: installing npm packages" >&2
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
fi
echo "setup: building" >&2
bash scripts/build.sh >&2
