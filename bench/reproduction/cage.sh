#!/bin/sh
# Runs in new namespaces (see cage.py): makes a root that holds what Python needs, read
# only, and the workspace; everything else of the machine is gone. Then runs a command.
#
#   cage.sh ROOT WORKSPACE ANSWERS MASKED SHOWN... -- COMMAND...
#
# ROOT is an empty folder, ANSWERS the one folder that may be written to, MASKED a folder
# that is shown empty, each SHOWN a file or folder that keeps its place.
set -eu
root=$1 workspace=$2 answers=$3 masked=$4
shift 4

mount --make-rprivate /
mount -t tmpfs -o size=16m,mode=755 none "$root"
mkdir "$root/proc" "$root/dev" "$root/tmp" "$root/workspace" "$root/old"
mount -t tmpfs -o size=64m,nosuid,nodev none "$root/tmp"
mkdir "$root/tmp/home"

show() { # keep a place, read only
  if [ -d "$1" ]; then mkdir -p "$root$1"; else mkdir -p "$root$(dirname "$1")"; : >"$root$1"; fi
  mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro,nosuid "$root$1"
}

for link in /bin /sbin /lib /lib32 /lib64; do
  if [ -L "$link" ]; then cp -P "$link" "$root$link"; elif [ -d "$link" ]; then show "$link"; fi
done
while [ "$1" != -- ]; do
  show "$1"
  shift
done
shift
if [ -d "$masked" ]; then mount -t tmpfs -o ro,size=4k none "$root$masked"; fi

for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs -o size=64m,nosuid,nodev none "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"

mount --bind "$workspace" "$root/workspace"
mount -o remount,bind,ro,nosuid,nodev "$root/workspace"
mount --bind "$answers" "$root/workspace/answers"
mount -o remount,bind,nosuid,nodev "$root/workspace/answers"
mount -t proc -o nosuid,nodev,noexec none "$root/proc"
# newer kernels count the processes of a namespace by themselves
echo 512 2>/dev/null >"$root/proc/sys/kernel/pid_max" || true

cd "$root"
pivot_root . old
cd /
umount -l /old
rmdir /old
mount -o remount,ro,bind /
cd /tmp/home
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
