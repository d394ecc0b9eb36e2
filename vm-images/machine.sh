#!/bin/sh
# A guest that stands for a real machine: an ssh server on the loopback interface, a data disk that stays, and a power
# switch. Made from an image of `plugpull image build`; see docs/real-machines.md.
#
#   machine.sh make FOLDER IMAGE-FOLDER PORT [ext4|xfs|btrfs]    its disk, keys and known_hosts, in a new folder
#   machine.sh on FOLDER                                         switches it on, unless it is (it boots for some seconds)
#   machine.sh off FOLDER                                        cuts its power
set -eu
PATH=$PATH:/usr/sbin:/sbin # where an ordinary user does not look for mkfs
recipes=$(cd "${0%/*}" && pwd)

die() {
  echo "machine.sh: $*" >&2
  exit 64
}

# Whole path of a folder: QEMU is found again by it, from wherever this is called.
whole() {
  (cd "$1" && pwd) || die "there is no folder $1"
}

make() {
  image=$(whole "$2") port=$3 fs=${4:-ext4}
  [ -f "$image/vmlinuz" ] || die "$image is no image: plugpull image build"
  mkdir "$1"
  folder=$(whole "$1")
  for key in id host; do ssh-keygen -q -t ed25519 -N '' -C plugpull -f "$folder/$key"; done
  read -r type key _ <"$folder/host.pub"
  echo "[127.0.0.1]:$port $type $key" >"$folder/known_hosts"
  truncate -s 600M "$folder/disk"
  case $fs in
    ext4) mkfs.ext4 -q -F "$folder/disk" ;;
    xfs) mkfs.xfs -q "$folder/disk" ;;
    btrfs) mkfs.btrfs -q "$folder/disk" ;;
    *) die "there is no file system $fs" ;;
  esac
  printf 'image=%s\nport=%s\n' "$image" "$port" >"$folder/machine"
}

# A number or a text of a JSON file that has one such key.
json() {
  sed -n -e 's/.*"'"$2"'": *"\([^"]*\)".*/\1/p' -e 's/.*"'"$2"'": *\([0-9][0-9]*\).*/\1/p' "$1" | head -n 1
}

# The QEMU that came with the image, or the system's where it may run this kernel: the rule of qemu.json.
qemu() {
  if [ -x "$image/qemu/qemu-system-x86_64" ]; then
    echo "$image/qemu/qemu-system-x86_64"
    return
  fi
  command -v qemu-system-x86_64 || die "QEMU is not installed"
  case ${ACCEL:-tcg} in kvm*) return ;; esac
  release=$(json "$image/image.json" release)
  above=$(json "$recipes/qemu.json" kernelsAbove)
  least=$(json "$recipes/qemu.json" atLeast)
  version=$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
  newest=$(printf '%s\n' "$above" "$release" | cut -d . -f 1,2 | sort -V | tail -n 1)
  if [ "$newest" != "$above" ] && [ "$version" -lt "$least" ]; then
    die "kernel $release needs QEMU $least or newer without KVM, and this is $version: $(json "$recipes/qemu.json" why)"
  fi
}

# Its QEMU, by its number and its command line: after a reboot the number may be anybody's. A dead one has no command line.
running() {
  pid=$(cat "$1/pid" 2>/dev/null) && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$1/pid"
}

# Nothing is flushed to the disk of this host, and nothing needs to be: what the guest has written is in the page cache
# here, and what it only has in its own is lost when it is killed.
on() {
  folder=$(whole "$1")
  if running "$folder"; then return; fi
  . "$folder/machine"
  program=$(qemu)
  kernel=$image/vmlinux
  [ -f "$kernel" ] || kernel=$image/vmlinuz
  raw() { echo "driver=raw,node-name=$1,read-only=$3,file.driver=file,file.filename=$2,file.locking=off"; }
  "$program" -name plugpull-machine -nodefaults -no-user-config -display none -daemonize \
    -pidfile "$folder/pid" -M q35 -accel "${ACCEL:-tcg,tb-size=96}" -cpu max -m 768M -smp 1 \
    -kernel "$kernel" -initrd "$image/initrd" \
    -append 'console=ttyS0 quiet panic=-1 plugpull.ssh=1 plugpull.payload=none' \
    -serial "file:$folder/console" -no-reboot \
    -blockdev "$(raw root "$image/root.squashfs" on)" -device virtio-blk-pci,drive=root,serial=plugpull-root \
    -blockdev "$(raw data "$folder/disk" off),cache.no-flush=on" \
    -device virtio-blk-pci,drive=data,serial=plugpull-data,write-cache=on \
    -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net \
    -fw_cfg "name=opt/plugpull/authorized_keys,file=$folder/id.pub" \
    -fw_cfg "name=opt/plugpull/host_key,file=$folder/host"
}

off() {
  [ -d "$1" ] || return 0
  folder=$(whole "$1")
  while running "$folder"; do
    kill -KILL "$pid" 2>/dev/null || true
    sleep 0.02
  done
  rm -f "$folder/pid"
}

[ $# -ge 2 ] || die "usage: machine.sh make|on|off FOLDER …"
what=$1
shift
case $what in
  make | on | off) "$what" "$@" ;;
  *) die "there is no $what" ;;
esac
