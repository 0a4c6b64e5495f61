package ops

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func eventJSON(id string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/test","type":"com.example.test","data":{"n":1}}`, id)
}

func zip(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// recorder is a Door that keeps what it is given.
type recorder struct {
	mu      sync.Mutex
	batches [][]Line
	answer  func(Line) error // nil: takes everything
	enter   func()           // called before a batch is taken
}

func (r *recorder) Send(_ context.Context, batch []Line) []error {
	if r.enter != nil {
		r.enter()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, batch)
	errs := make([]error, len(batch))
	for i := range batch {
		if r.answer != nil {
			errs[i] = r.answer(batch[i])
		}
	}
	return errs
}

// sent is what came, one line each.
func (r *recorder) sent() string {
	var b strings.Builder
	for _, batch := range r.batches {
		for _, l := range batch {
			b.Write(l.Raw)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func send(t *testing.T, door Door, req SendRequest) (SendResult, []Refusal, error) {
	t.Helper()
	var refusals []Refusal
	req.Refused = func(r Refusal) { refusals = append(refusals, r) }
	if req.Now == nil {
		req.Now = time.Now
	}
	if req.MaxLine == 0 {
		req.MaxLine = 1 << 20
	}
	res, err := Send(t.Context(), door, req)
	return res, refusals, err
}
