#!/usr/bin/env bash
# Fuzz every target of the module, one after the other.
# usage: scripts/fuzz.sh TIME   (as go test -fuzztime takes it: 30s, 1000x)
set -euo pipefail
time=${1:?usage: scripts/fuzz.sh TIME, such as 30s}
cd "$(dirname "$0")/.."
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "$dir $target"
		go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x
	done
done
