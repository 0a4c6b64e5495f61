package mongostore

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// delta is what some new events add to the counters and aggregates.
type delta struct {
	counters   map[counterKey]int64
	aggregates map[subjectKey]*summary
}

func newDelta() *delta {
	return &delta{counters: make(map[counterKey]int64), aggregates: make(map[subjectKey]*summary)}
}

type counterKey struct {
	hour        int64 // since 1970
	tenant, typ string
}

func (a counterKey) compare(b counterKey) int {
	return cmp.Or(cmp.Compare(a.hour, b.hour), strings.Compare(a.tenant, b.tenant), strings.Compare(a.typ, b.typ))
}

type subjectKey struct{ source, subject string }

func (a subjectKey) compare(b subjectKey) int {
	return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.subject, b.subject))
}

// summary is an aggregate, or what is to be added to one.
type summary struct {
	version int64
	first   int64 // Unix milliseconds
	latest  latest
	byType  map[string]int64
}

// latest names an event; its data is in its document.
type latest struct {
	time    int64 // Unix milliseconds
	id, typ string
}

func (a latest) before(b latest) bool {
	return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.id, b.id)) < 0
}

const msPerHour = int64(time.Hour / time.Millisecond)

func hourOf(ms int64) int64 {
	h := ms / msPerHour
	if ms%msPerHour < 0 { // before 1970
		h--
	}
	return h
}

func hourStart(hour int64) time.Time { return time.UnixMilli(hour * msPerHour).UTC() }

// add adds an event of the time ms, to an aggregate too when its type asks for it.
func (d *delta) add(e *event.Event, ms int64, asks bool) {
	d.counters[counterKey{hourOf(ms), e.Tenant(), e.Type()}]++
	if asks {
		d.summary(subjectKey{e.Source(), e.Subject()}).add(&summary{
			version: 1, first: ms, latest: latest{ms, e.ID(), e.Type()}, byType: map[string]int64{e.Type(): 1},
		})
	}
}

func (d *delta) summary(k subjectKey) *summary {
	s := d.aggregates[k]
	if s == nil {
		s = &summary{byType: make(map[string]int64, 1)}
		d.aggregates[k] = s
	}
	return s
}

func (d *delta) merge(o *delta) {
	for k, n := range o.counters {
		d.counters[k] += n
	}
	for k, s := range o.aggregates {
		d.summary(k).add(s)
	}
}

// add adds other events of the same source and subject. The zero summary has none.
func (s *summary) add(o *summary) {
	if s.version == 0 || o.first < s.first {
		s.first = o.first
	}
	if s.version == 0 || s.latest.before(o.latest) {
		s.latest = o.latest
	}
	s.version += o.version
	for typ, n := range o.byType {
		s.byType[typ] += n
	}
}

func (d *delta) empty() bool { return len(d.counters) == 0 }

func (d *delta) counterKeys() []counterKey {
	return slices.SortedFunc(maps.Keys(d.counters), counterKey.compare)
}

func (d *delta) subjectKeys() []subjectKey {
	return slices.SortedFunc(maps.Keys(d.aggregates), subjectKey.compare)
}
