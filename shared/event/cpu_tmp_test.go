package event_test

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
)

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

// best of several slices of work, by cpu time
func bestCPU(n int, f func(i int)) float64 {
	best := 1e18
	for range 15 {
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
	for _, size := range benchSizes {
		evs := eventtest.JSON(1, 1000, size)
		parsed := make([]event.Event, 1000)
		batch := []byte("[")
		hs := make([][]event.Header, 1000)
		vals := make([][]byte, 1000)
		for i := range evs {
			parsed[i], _ = event.Parse(evs[i])
			_, vals[i], hs[i] = parsed[i].ToKafkaBinary()
			if i < 200 {
				batch = append(append(batch, evs[i]...), ',')
			}
		}
		batch[len(batch)-1] = ']'
		fmt.Printf("%d: Parse %.0f  json.Valid %.0f  Stamp %.0f Batch/event %.0f\n", size,
			bestCPU(50000, func(i int) { event.Parse(evs[i%1000]) }),
			bestCPU(20000, func(i int) { json.Valid(evs[i%1000]) }),
			bestCPU(50000, func(i int) { parsed[i%1000].Stamp(1764000000000) }),
			bestCPU(300, func(i int) { event.ParseBatch(batch) })/200,
		)
		fmt.Printf("%d kafka: %.0f\n", size, bestCPU(50000, func(i int) {
			if _, err := event.FromKafka(vals[i%1000], hs[i%1000]); err != nil {
				panic(err)
			}
		}))
		fmt.Printf("%d edit: %.0f\n", size, bestCPU(50000, func(i int) {
			if _, err := parsed[i%1000].Edit().Set("type", "x").Build(); err != nil {
				panic(err)
			}
		}))
	}
}
