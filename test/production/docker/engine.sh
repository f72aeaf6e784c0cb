#!/usr/bin/env bash
# A Docker engine as the first process of namespaces of its own:
#
#   unshare --net --mount --pid --fork --kill-child --mount-proc engine.sh FOLDER CGROUP
#
# It keeps everything in FOLDER, listens at docker.sock in there, and counts what containers use in CGROUP. Its network leads nowhere until somebody
# outside connects it. It ends when its standard input is closed, by will or because the process that held it died; with it end, by the kernel's doing,
# containers, mounts, bridges and rules of the network.
set -eu
folder=$1
cgroup=$2
# What is started in the background gets another standard input.
exec 3<&0

# What has a fixed place on every machine is this engine's own: sockets, locks, its key.
mkdir -p /etc/docker
for place in /run /etc/docker; do mount -t tmpfs tmpfs "$place"; done
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward

dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/dockerd.pid" \
  --cgroup-parent "$cgroup" >"$folder/log/dockerd.log" 2>&1 3<&- &
cat <&3 >/dev/null &
wait -n || true
