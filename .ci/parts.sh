# How a part of .ci/run is run, and what is said of it.

passed_parts=()
failed_parts=()
skipped_parts=()

# join NAMES…: "a, b, c".
join() { local joined; printf -v joined '%s, ' "$@"; printf '%s' "${joined%, }"; }

# One line for each argument.
say() { printf '%s\n' "$@"; }

skip() {
  skipped_parts+=("$1")
  say "!!! SKIPPED: $1: $2"
}

# part NAME SECONDS COMMAND…: runs a command under a time limit, or one of the functions below, and notes how it went.
part() {
  local name=$1 limit=$2 begin=$SECONDS status=0
  shift 2
  say "" "== $name: $*"
  if declare -F "$1" >/dev/null; then "$@" || status=$?; else timeout --kill-after=10 "$limit" "$@" || status=$?; fi
  note "$name" "$status" $((SECONDS - begin))
}

note() {
  local name=$1 status=$2 seconds=$3
  if [ "$status" -eq 0 ]; then
    passed_parts+=("$name")
    say "-- $name: passed in $seconds s"
  else
    failed_parts+=("$name")
    [ "$status" -eq 124 ] && say "-- $name: ran into its time limit"
    say "!!! FAILED: $name (exit $status, $seconds s)"
  fi
  return "$status"
}

# twice COMMAND…: once more after a failure, for what depends on the network.
twice() { "$@" || { say "-- once more: $*"; sleep 5; "$@"; }; }
