package functions_test

import (
	"testing"

	"github.com/millrace-pipeline/millrace/functions/internal/awsstub"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// The smallest memory setting takes batches twice as large as infrastructure sets, again
// and again. Lambda would end the process otherwise, as it would here without the soft
// limit that the functions set themselves.
func TestLargeBatchesInTheSmallestMemory(t *testing.T) {
	const (
		smallest = 128 // MB
		many     = 100_000
		rounds   = 10
	)
	st, _ := spec.StageByName(spec.Process)
	payload, events := sqsPayload(t, 0, many, 2*st.BatchSize)
	peak := func(env ...string) int {
		s := awsstub.Start(t)
		e := start(t, "process", smallest, s, env...)
		for range rounds {
			invoke(t, e, payload)
			s.Take(topicARN)
		}
		n, err := e.PeakMemory()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	limited, unlimited := peak(), peak("GOMEMLIMIT=off")
	t.Logf("%d events in %d bytes: peak %d MB, without a limit %d MB", events, len(payload), limited>>20, unlimited>>20)
	if limited > smallest<<20 {
		t.Errorf("the function takes %d MB of %d", limited>>20, smallest)
	}
	if unlimited <= limited {
		t.Errorf("the limit changes nothing: %d MB with it, %d MB without", limited>>20, unlimited>>20)
	}
}
