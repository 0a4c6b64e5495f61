package bench

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/millrace-pipeline/millrace/shared/embedded"
)

// cpuProfile makes a profile of one second for each stack; a stack is innermost first.
func cpuProfile(t *testing.T, samples ...sample) []byte {
	t.Helper()
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1,
	}
	for _, s := range samples {
		out := &profile.Sample{Value: []int64{1, int64(time.Second)}}
		if s.part != "" {
			out.Label = map[string][]string{embedded.PartLabel: {s.part}}
		}
		for _, name := range s.stack {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: f}}}
			p.Function, p.Location = append(p.Function, f), append(p.Location, l)
			out.Location = append(out.Location, l)
		}
		p.Sample = append(p.Sample, out)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type sample struct {
	part  string
	stack []string
}

func TestAttribute(t *testing.T) {
	for name, c := range map[string]struct {
		sample
		part, step string
	}{
		"a library counts for who calls it": {sample{"ingest", []string{"github.com/klauspost/compress/s2.encodeBlock", module + "event/pack.Encode", module + "pipeline.(*batch).publish"}}, "ingest", StepPacks},
		"the innermost of ours counts":      {sample{"persist", []string{module + "event.Parse", module + "adapter/sqlite/store.(*Store).Write", module + "pipeline.(*Runner).Run"}}, "persist", StepAttributes},
		"the schema check":                  {sample{"ingest", []string{"encoding/json.Unmarshal", module + "schema.library.Validate", module + "stage/ingest.(*Stage).Do"}}, "ingest", StepSchema},
		"no step for the generator's parts": {sample{PartGenerator, []string{"github.com/twmb/franz-go/pkg/kgo.(*sink).produce"}}, PartGenerator, PartGenerator},
		"nor for the broker's":              {sample{embedded.PartBroker, []string{"runtime.memmove", "github.com/twmb/franz-go/pkg/kfake.(*Cluster).run"}}, embedded.PartBroker, embedded.PartBroker},
		"a driver's own goroutine":          {sample{embedded.PartStore, []string{"runtime.netpoll"}}, embedded.PartStore, StepStore},
		"collector":                         {sample{"", []string{"runtime.scanobject", "runtime.gcDrain", "runtime.systemstack", "runtime.gcBgMarkWorker"}}, PartGC, PartGC},
		"assisting it is the part's":        {sample{"process", []string{"runtime.gcAssistAlloc", "runtime.mallocgc", module + "handlers.(*Registry).Handle"}}, "process", StepHandlers},
		"scheduler":                         {sample{"", []string{"runtime.futex", "runtime.findRunnable", "runtime.schedule", "runtime.mcall"}}, PartScheduler, PartScheduler},
		"a stage that does nothing of ours": {sample{"process", []string{"runtime.selectgo"}}, "process", ""},
		"nobody's":                          {sample{"", []string{"main.main", "runtime.main"}}, "", ""},
	} {
		parts, steps, err := attribute(cpuProfile(t, c.sample))
		if err != nil {
			t.Fatal(err)
		}
		check := func(of string, got Shares, want string) {
			if want == "" && len(got) == 0 || len(got) == 1 && got.Of(want) == time.Second {
				return
			}
			t.Errorf("%s: %s %v, want %q", name, of, got, want)
		}
		check("part", parts, c.part)
		check("step", steps, c.step)
	}
}

func TestAttributeAddsUp(t *testing.T) {
	a := sample{"ingest", []string{module + "event.Parse"}}
	b := sample{"persist", []string{module + "event.Parse"}}
	parts, steps, err := attribute(cpuProfile(t, a, b, a))
	if err != nil {
		t.Fatal(err)
	}
	if parts[0] != (Share{"ingest", 2 * time.Second}) || parts.Of("persist") != time.Second || parts.Total() != 3*time.Second {
		t.Errorf("parts %v", parts)
	}
	if len(steps) != 1 || steps.Of(StepAttributes) != 3*time.Second {
		t.Errorf("steps %v", steps)
	}
	if _, _, err := attribute([]byte("no profile")); err == nil {
		t.Error("what is no profile was read")
	}
	r := Result{CPU: 4 * time.Second, Parts: parts}
	if r.Unattributed() != 0.25 {
		t.Errorf("%v of it is unattributed, 1 s of 4 is", r.Unattributed())
	}
}
