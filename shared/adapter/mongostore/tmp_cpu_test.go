package mongostore

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
)

func cpuNow() int64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func best(n int, f func(i int)) float64 {
	b := 1e18
	for range 15 {
		t := cpuNow()
		for i := range n {
			f(i)
		}
		b = min(b, float64(cpuNow()-t)/float64(n))
	}
	return b
}

func TestTmpCPU(t *testing.T) {
	if os.Getenv("CPU") == "" {
		t.Skip()
	}
	for _, size := range []int{550, 1100} {
		events := parseAll(t, eventtest.JSON(1, 1000, size))
		var w documentWriter
		var dst []byte
		id := bson.NewObjectID()
		now := time.Now()
		edits := 0
		for i := range events {
			d, _ := w.append(nil, &events[i], now, id)
			if bson.Raw(d).Lookup("_edits").Type != 0 {
				edits++
			}
		}
		fmt.Println(size, "with edits", edits,
			"append", best(20000, func(i int) { dst, _ = w.append(dst[:0], &events[i%1000], now, id) }),
			"encode only", best(20000, func(i int) {
				w.enc.src, w.enc.dst, w.enc.end = events[i%1000].JSON(), dst[:0], 1<<30
				w.enc.event(true)
			}))
	}
}
