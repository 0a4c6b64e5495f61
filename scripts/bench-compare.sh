#!/usr/bin/env bash
# Compares the micro benchmarks of this checkout, as its files are now, with those of the
# last landing, and prints benchstat's table. It is information: a figure never fails it.
#
# usage: scripts/bench-compare.sh [REF]
#   REF  compare with the commit that this one branched off from there (git merge-base);
#        default: main, or on main itself the commit before
#
# BENCH_SECONDS (default 120) bounds the measuring; the builds before it come on top.
set -euo pipefail
cd "$(dirname "$0")/.."

benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
seconds=${BENCH_SECONDS:-120}
rounds=6 # benchstat needs four of each for a judgement, and six for one that holds
packages=(event event/pack handlers stage/process metric redrive
  adapter/lambdaio adapter/sqlite/queue adapter/sqlite/store adapter/emf adapter/logs)

if ! base=$(git merge-base HEAD "${1:-main}" 2>/dev/null); then
  echo "bench-compare: no commit in common with ${1:-main}: nothing to compare with"
  exit 0
fi
if [ "$base" = "$(git rev-parse HEAD)" ] && ! base=$(git rev-parse --verify --quiet HEAD~1); then
  echo "bench-compare: there is no commit before this one (a shallow clone?): nothing to compare with"
  exit 0
fi

work=$(mktemp -d)
clean() {
  git worktree remove --force "$work/tree" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT
git worktree add --quiet --detach "$work/tree" "$base"

# build DIR NAME builds the benchmarks of the module in DIR; a package that is not there
# or does not build is left out.
build() {
  local p
  for p in "${packages[@]}"; do
    if [ -d "$1/shared/$p" ]; then
      (cd "$1" && go test -c -trimpath -o "$work/$2/${p//\//-}.test" "./shared/$p") || echo "bench-compare: shared/$p of the $2 checkout does not build" >&2
    fi
  done
}
mkdir "$work/before" "$work/now"
build "$work/tree" before
build . now

# once DIR NAME adds one run of every benchmark to NAME's results. The tests of a package
# expect to run in its folder.
once() {
  local p
  for p in "${packages[@]}"; do
    local test="$work/$2/${p//\//-}.test"
    [ -x "$test" ] || continue
    (cd "$1/shared/$p" && "$test" -test.run '^$' -test.bench . -test.benchtime 20ms) >>"$work/$2.txt" ||
      echo "bench-compare: the benchmarks of shared/$p fail in the $2 checkout" >&2
  done
}
SECONDS=0
for ((i = 1; i <= rounds; i++)); do # in turns, so that what else the machine does meets both
  once "$work/tree" before
  once . now
  if ((SECONDS + SECONDS / i > seconds)); then
    break
  fi
done

echo "before: $(git log -1 --format='%h %s' "$base")"
echo "now:    $(git describe --always --dirty), ${SECONDS} s, $((i > rounds ? rounds : i)) runs of each"
go run "$benchstat" -filter '.unit:(sec/op OR allocs/op)' before="$work/before.txt" now="$work/now.txt"
