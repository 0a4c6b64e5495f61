package pack_test

import (
	stdb64 "encoding/base64"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	asm "github.com/segmentio/asm/base64"
)

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func bestCPU(n int, f func(i int)) float64 {
	best := 1e18
	for range 12 {
		t := cpu()
		for i := range n {
			f(i)
		}
		best = min(best, float64(cpu()-t)/float64(n))
	}
	return best
}

func TestCPU(t *testing.T) {
	if os.Getenv("CPU") == "" {
		t.Skip()
	}
	for _, size := range []int{500, 1050} {
		events, _ := sample(t, size)
		for _, c := range []string{"", pack.S2, pack.Zstd} {
			o := pack.Options{Encoding: c}
			packs := pack.Encode(events, o)
			enc := bestCPU(10, func(int) { pack.Encode(events, o) }) / 1000
			dec := bestCPU(10, func(int) {
				for _, p := range packs {
					pack.Decode(p.Body, p.ContentType, p.Encoding, limit)
				}
			}) / 1000
			fill := 0.0
			for _, p := range packs[:len(packs)-1] {
				fill += float64(len(p.Body)) / pack.TargetBytes / float64(len(packs)-1)
			}
			fmt.Printf("CPU %d %s enc %.0f dec %.0f packs %d fill %.3f first %d last %d\n", size, c, enc, dec, len(packs), fill, len(packs[0].Body), len(packs[len(packs)-1].Body))
		}
		var raw []byte
		for _, e := range events[:250] {
			raw = append(raw, e.JSON()...)
		}
		dst := make([]byte, s2.MaxEncodedLen(len(raw)))
		fmt.Printf("CPU s2 raw enc %.0f ", bestCPU(10, func(int) { s2.Encode(dst, raw) })/250)
		p := s2.Encode(nil, raw)
		out := make([]byte, len(raw))
		fmt.Printf("dec %.0f\n", bestCPU(50, func(int) { s2.Decode(out, p) })/250)
		b := make([]byte, 60<<10)
		src := p[:45<<10]
		fmt.Printf("CPU base64 per 60K: std enc %.0f dec", bestCPU(100, func(int) { stdb64.StdEncoding.Encode(b, src) }))
		tmp := make([]byte, 46<<10)
		fmt.Printf(" %.0f asm enc %.0f", bestCPU(100, func(int) { stdb64.StdEncoding.Decode(tmp, b) }), bestCPU(100, func(int) { asm.StdEncoding.Encode(b, src) }))
		fmt.Printf(" dec %.0f\n", bestCPU(100, func(int) { asm.StdEncoding.Decode(tmp, b) }))
	}
	_ = event.Event{}
}
