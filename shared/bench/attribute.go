package bench

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/millrace-pipeline/millrace/shared/embedded"
)

// Share is the CPU time of one part of the program.
type Share struct {
	Name string
	CPU  time.Duration
}

// Shares divide CPU time among parts, the dearest first.
type Shares []Share

// Total of all parts.
func (s Shares) Total() (d time.Duration) {
	for i := range s {
		d += s[i].CPU
	}
	return d
}

// Of is the time of a part, 0 if it has none.
func (s Shares) Of(name string) time.Duration {
	for i := range s {
		if s[i].Name == name {
			return s[i].CPU
		}
	}
	return 0
}

// Parts of the process that the pipeline does not label.
const (
	PartGenerator = "load generator"
	PartGC        = "garbage collector" // its own goroutines; what it makes others do is in their parts
	PartScheduler = "go scheduler"      // between goroutines, where no part runs
)

// Steps of the work on an event that `millrace bench` names; the others are named for the
// parts that they are.
const (
	StepSchema     = "schema check"
	StepPayload    = "lambda payloads"
	StepAttributes = "attributes"
	StepPacks      = "packs"
	StepHandlers   = "handlers"
	StepDelivery   = "delivery"
	StepStore      = "event store"
)

const module = "github.com/millrace-pipeline/millrace/shared/"

// steps say by the beginning of a function's name what it works on. The first that fits
// counts, and of a stack the function nearest to its top.
var steps = []struct{ prefix, step string }{
	{module + "schema.", StepSchema},
	{module + "event/pack.", StepPacks},
	{module + "event.", StepAttributes},
	{module + "adapter/lambdaio.", StepPayload},
	{module + "adapter/sqlite/queue.", embedded.PartQueues},
	{module + "adapter/sqlite/store", StepStore},
	{module + "adapter/mongostore.", StepStore},
	{"go.mongodb.org/mongo-driver/", StepStore},
	{module + "adapter/sqlite/metrics.", embedded.PartMetrics},
	{module + "adapter/logs.", embedded.PartMetrics},
	{module + "handlers.", StepHandlers},
	{module + "adapter/kafkaio.", embedded.PartKafka},
	{"github.com/twmb/franz-go/pkg/kgo.", embedded.PartKafka},
	{module + "pipeline.", StepDelivery},
	{module + "stage/", StepDelivery},
	{module + "function.", StepDelivery},
	{module + "embedded.", StepDelivery},
}

// collector are the functions whose goroutines collect garbage and do nothing else.
var collector = []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge"}

// attribute reads a CPU profile of the process. parts divides its samples by goroutine,
// steps by what the goroutine worked on; what fits none is in neither.
func attribute(cpu []byte) (parts, bySteps Shares, err error) {
	p, err := profile.Parse(bytes.NewReader(cpu))
	if err != nil {
		return nil, nil, fmt.Errorf("CPU profile: %w", err)
	}
	value := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" && t.Unit == "nanoseconds" })
	if value < 0 {
		return nil, nil, fmt.Errorf("CPU profile: it has no times")
	}
	part, step := make(map[string]time.Duration), make(map[string]time.Duration)
	for _, s := range p.Sample {
		d := time.Duration(s.Value[value])
		name := partOf(s)
		if name != "" {
			part[name] += d
		}
		if name = stepOf(s, name); name != "" {
			step[name] += d
		}
	}
	return sorted(part), sorted(step), nil
}

func partOf(s *profile.Sample) string {
	if l := s.Label[embedded.PartLabel]; len(l) > 0 {
		return l[0]
	}
	name := ""
	eachFunction(s, func(f string) bool {
		switch {
		case slices.Contains(collector, f):
			name = PartGC
		case f == "runtime.mcall" || f == "runtime.mstart" || f == "runtime.schedule":
			name = PartScheduler
		}
		return name == ""
	})
	return name
}

// stepOf a sample of a part. The broker and the generator are no step of the pipeline, and
// use some of its code.
func stepOf(s *profile.Sample, part string) string {
	if part == embedded.PartBroker || part == PartGenerator {
		return part
	}
	step := ""
	eachFunction(s, func(f string) bool {
		for _, c := range steps {
			if strings.HasPrefix(f, c.prefix) {
				step = c.step
				return false
			}
		}
		return true
	})
	if step != "" {
		return step
	}
	switch part {
	case PartGC, PartScheduler, embedded.PartKafka, embedded.PartQueues, embedded.PartMetrics:
		return part
	case embedded.PartStore:
		return StepStore
	}
	return ""
}

// eachFunction calls f with the functions of the sample's stack, the innermost first,
// until it returns false.
func eachFunction(s *profile.Sample, f func(name string) bool) {
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil && !f(line.Function.Name) {
				return
			}
		}
	}
}

func sorted(m map[string]time.Duration) Shares {
	out := make(Shares, 0, len(m))
	for name, d := range m {
		out = append(out, Share{name, d})
	}
	slices.SortFunc(out, func(a, b Share) int {
		if a.CPU != b.CPU {
			return int(b.CPU - a.CPU)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}
