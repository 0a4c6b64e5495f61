package kafkaio

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partition is what a Source holds of one partition that the group gave it.
type partition struct {
	id      Partition
	queue   []queued // fetched, in the order of offsets; the first taken of them are in a batch
	taken   int
	waiting int  // bytes of the others, as payload
	paused  bool // not fetched, because so many wait

	leaving bool // it goes to another member: no further batch
	lost    bool // another member may have it already: no commit

	failures  int       // in a row, of the record at the head
	notBefore time.Time // of the next batch, after a failure
	limit     int       // most records of its next batch, while it bisects; 0: none
	alone     bool      // its last batch failed as a whole: its next one has no other partition
}

// queued is a record with its size in a payload and the time when it was fetched.
type queued struct {
	record *kgo.Record
	size   int
	at     time.Time
}

// push takes over fetched records.
func (p *partition) push(records []*kgo.Record, at time.Time) {
	for _, r := range records {
		q := queued{r, payloadSize(r), at}
		p.queue = append(p.queue, q)
		p.waiting += q.size
	}
}

// idle says that a batch could take from it.
func (p *partition) idle(now time.Time) bool {
	return p.taken == 0 && !p.leaving && !p.notBefore.After(now)
}

// fit is how many records of the head go into a batch with room for so many and so many
// bytes.
func (p *partition) fit(records, bytes int) (n, size int) {
	if p.limit > 0 {
		records = min(records, p.limit)
	}
	for n < min(records, len(p.queue)) && size+p.queue[n].size <= bytes {
		size += p.queue[n].size
		n++
	}
	return n, size
}

// take puts the first n records, of so many bytes, into a batch.
func (p *partition) take(n, size int) {
	p.taken = n
	p.waiting -= size
}

// settle puts back what a batch did not do, and sets when it is tried again.
func (p *partition) settle(s *share, o *SourceOptions) {
	for _, q := range p.queue[s.done:p.taken] {
		p.waiting += q.size
	}
	clear(p.queue[:s.done]) // a record keeps the whole fetch in memory
	p.queue = p.queue[s.done:]
	p.taken = 0
	if s.done == len(s.records) {
		p.failures, p.notBefore, p.alone = 0, time.Time{}, p.limit > 0
		if p.limit *= 2; p.limit >= o.Records {
			p.limit, p.alone = 0, false
		}
		return
	}
	if s.done > 0 {
		p.failures = 0
	}
	p.failures++
	p.notBefore = o.Now().Add(o.Backoff(p.failures))
	p.alone = s.whole
	if s.whole && o.Bisect {
		p.limit = (len(s.records) + 1) / 2
	}
}

// payloadSize is about what a record takes in the JSON that Lambda sends: base64, headers
// as lists of numbers, and the names around them.
func payloadSize(r *kgo.Record) int {
	const names, header = 160, 8
	n := names + len(r.Topic) + (len(r.Key)+2)/3*4 + (len(r.Value)+2)/3*4
	for _, h := range r.Headers {
		n += header + len(h.Key) + 5*len(h.Value)
	}
	return n
}
