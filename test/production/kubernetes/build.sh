#!/bin/sh
# Builds into FOLDER the two programs of which kubernetes.test.ts makes a cluster: `kubernetes`, every part of it, and `pause`.
# Half an hour of one core at the first time, then seconds: Go keeps what it has compiled.
#
#   build.sh FOLDER
set -eu
folder=$1
cd "$(dirname "$0")"
# A release is told by the linker which one it is; Helm asks the API server, and the chart wants a recent one.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
package=k8s.io/component-base/version
flags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
CGO_ENABLED=0 go build -trimpath -ldflags "$flags" -o "$folder/" . ./pause
