#!/bin/sh
# A root folder with Apptainer, which Debian has only in sid, for test/production/apptainer/bin/apptainer. Needs root and
# debootstrap; a minute, 230 MB.
#
#   root.sh FOLDER
set -eu
debootstrap --variant=minbase --include=apptainer,squashfs-tools,squashfuse,fuse-overlayfs,uidmap,util-linux sid "$1" >"$1.log" 2>&1 ||
  { tail -n 5 "$1.log" >&2; exit 1; }
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/usr/share/doc "$1"/usr/share/locale
# What the program finds here is the machine's, put in its place when it runs.
mkdir -p "$1/shared"
touch "$1/etc/hosts" "$1/etc/resolv.conf"
# Machines for users let everybody open it; where this is not so, the machine's own would not do.
mknod -m 666 "$1/fuse" c 10 229
