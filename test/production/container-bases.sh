#!/bin/sh
# Stand-ins for the two images that deploy/Containerfile begins with, made without a registry: a minimal Debian by
# debootstrap, and the same with this machine's Node and npm. Needs root, podman and debootstrap; a few minutes.
#
#   container-bases.sh DEBIAN_TAG NODE_TAG
set -eu
debian=$1
node=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debootstrap --variant=minbase bookworm "$work/debian" >"$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/dev/*
tar -C "$work/debian" -c . | podman import --quiet - "$debian" >/dev/null

mkdir -p "$work/node/usr/local/bin" "$work/node/usr/local/lib/node_modules"
cp -L "$(command -v node)" "$work/node/usr/local/bin/node"
npm_cli=$(readlink -f "$(command -v npm)")
cp -a "${npm_cli%/bin/npm-cli.js}" "$work/node/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/node/usr/local/bin/npm"
# Behind a proxy that signs for others, npm needs the certificates that this machine trusts.
certificates=${NODE_EXTRA_CA_CERTS:-}
[ -z "$certificates" ] || install -D -m 644 "$certificates" "$work/node/etc/ssl/certs/ca-certificates.crt"
{
  echo "FROM $debian"
  echo "COPY node/ /"
  [ -z "$certificates" ] || echo "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"
} >"$work/Containerfile"
podman build --quiet --isolation chroot --file "$work/Containerfile" --tag "$node" "$work" >/dev/null
