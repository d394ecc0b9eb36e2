#!/bin/sh
# A guest that stands for a real machine: an ssh server on the loopback interface, a data disk that stays, and a power
# switch. Made from an image of `plugpull image build`; see docs/real-machines.md.
#
#   machine.sh make FOLDER IMAGE-FOLDER PORT [ext4|xfs|btrfs]    its disk, keys and known_hosts, in a new folder
#   machine.sh on FOLDER                                         switches it on (it boots for some seconds)
#   machine.sh off FOLDER                                        cuts its power
set -eu

die() {
  echo "machine.sh: $*" >&2
  exit 64
}

make() {
  folder=$1 image=$2 port=$3 fs=${4:-ext4}
  [ -f "$image/vmlinuz" ] || die "$image is no image: plugpull image build"
  mkdir "$folder"
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

# Nothing is flushed to the disk of this host, and nothing needs to be: what the guest has written is in the page cache
# here, and what it only has in its own is lost when it is killed.
on() {
  folder=$1
  . "$folder/machine"
  # The QEMU that the image brought along: the system's may not run its kernel.
  qemu=$image/qemu/qemu-system-x86_64
  [ -x "$qemu" ] || qemu=qemu-system-x86_64
  raw() { echo "driver=raw,node-name=$1,read-only=$3,file.driver=file,file.filename=$2,file.locking=off"; }
  "$qemu" -name plugpull-machine -nodefaults -no-user-config -display none -daemonize \
    -pidfile "$folder/pid" -M q35 -accel "${ACCEL:-tcg,tb-size=96}" -cpu max -m 768M -smp 1 \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" \
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
  pid=$(cat "$1/pid" 2>/dev/null) || return 0
  # After a reboot of this host the number can be that of another process.
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qx plugpull-machine || { rm -f "$1/pid"; return 0; }
  kill -KILL "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm -f "$1/pid"
}

[ $# -ge 2 ] || die "usage: machine.sh make|on|off FOLDER …"
what=$1
shift
case $what in
  make | on | off) "$what" "$@" ;;
  *) die "there is no $what" ;;
esac
