package pipeline

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
)

var traceParent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// continueTrace makes the invocation's traceparent (W3C Trace Context, section 3.2): a
// new span in the trace of the first delivery that has one, else in a new trace. The
// traceparent extensions of events are the producers' and are left alone.
func continueTrace(ds []Delivery) string {
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand
	span := hex.EncodeToString(id[16:])
	for i := range ds {
		if t := ds[i].Attrs.TraceParent; traceParent.MatchString(t) {
			return t[:36] + span + t[52:]
		}
	}
	return "00-" + hex.EncodeToString(id[:16]) + "-" + span + "-01"
}
