//go:build unix

package store

import "testing"

func BenchmarkTmp1M(b *testing.B) { benchmarkWrite(b, 1_000_000) }
func BenchmarkTmp3M(b *testing.B) { benchmarkWrite(b, 3_000_000) }
