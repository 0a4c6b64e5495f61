package embedded

import (
	"context"
	"runtime/pprof"
)

// PartLabel is the label that goroutines of the pipeline have in a CPU profile; its value
// is the name of a stage or one of the parts below. Time without it is the Go runtime's,
// or the caller's own.
const PartLabel = "part"

// Parts of the pipeline besides its stages.
const (
	PartBroker  = "kafka broker" // the pipeline's own
	PartKafka   = "kafka client"
	PartQueues  = "queues" // what they do by themselves: moving, expiring
	PartStore   = "store"  // likewise: the MongoDB driver's connections
	PartMetrics = "metrics"
	PartHTTP    = "http"
)

// asPart runs f with the part's label. Goroutines that f starts, and those that they
// start, have it too, so one call labels all of a library's.
func asPart(name string, f func()) {
	pprof.Do(context.Background(), pprof.Labels(PartLabel, name), func(context.Context) { f() })
}
