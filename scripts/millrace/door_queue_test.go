package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// picky is a queue that checks messages as SQS does, and fails those that fail names.
type picky struct {
	fail  func(i int) error
	taken int
}

func (q *picky) Send(_ context.Context, msgs []queue.Message) []error {
	errs := make([]error, len(msgs))
	for i := range msgs {
		if errs[i] = queue.Check(&msgs[i]); errs[i] == nil {
			errs[i] = q.fail(i)
		}
		if errs[i] == nil {
			q.taken++
		}
	}
	return errs
}

// checkedLines are events whose data does not compress.
func checkedLines(t *testing.T, n, bytes int) []ops.Line {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	lines := make([]ops.Line, n)
	for i := range lines {
		data := make([]byte, bytes)
		_, _ = random.Read(data) // never fails
		raw := fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"/test","type":"com.example.test","data":%q}`, i, base64.StdEncoding.EncodeToString(data))
		e, err := event.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = ops.Line{Number: i + 1, Raw: raw, Event: e, Checked: true}
	}
	return lines
}

// The events of a pack that is not taken fail together, and nobody else does.
func TestQueueDoorNamesTheLines(t *testing.T) {
	lines := checkedLines(t, 500, 1000)
	_, ends := messages(lines)
	if len(ends) < 4 || ends[len(ends)-1] != len(lines) {
		t.Fatalf("packs end at %v", ends)
	}
	boom := errors.New("boom")
	q := &picky{fail: func(i int) error {
		if i == 1 {
			return boom
		}
		return nil
	}}
	errs := (&queueDoor{q}).Send(t.Context(), lines)
	if len(errs) != len(lines) {
		t.Fatalf("%d answers for %d lines", len(errs), len(lines))
	}
	for i, err := range errs {
		if failed := i >= ends[0] && i < ends[1]; errors.Is(err, boom) != failed || !failed && err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
	}
}

// What SQS takes under no circumstances is refused for good, each line by itself.
func TestQueueDoorRefuses(t *testing.T) {
	q := &picky{fail: func(int) error { return nil }}
	unchecked := []ops.Line{{Raw: []byte("nonsense")}, {Raw: []byte("\x00")}, {Raw: bytes.Repeat([]byte("x"), queue.MaxMessageBytes+1)}, {Raw: []byte("more")}}
	errs := (&queueDoor{q}).Send(t.Context(), unchecked)
	for i, want := range []fault.Reason{"", fault.UnsupportedContent, fault.TooLarge, ""} {
		if want == "" && errs[i] != nil || want != "" && (fault.ReasonOf(errs[i]) != want || fault.KindOf(errs[i]) != fault.Permanent) {
			t.Errorf("line %d: %v, want %s", i, errs[i], want)
		}
	}
	large := append(checkedLines(t, 1, 100), checkedLines(t, 1, 1<<20)...)
	if errs := (&queueDoor{q}).Send(t.Context(), large); errs[0] != nil || fault.ReasonOf(errs[1]) != fault.TooLarge {
		t.Errorf("an event that is too large: %v", errs)
	}
	if q.taken != 3 {
		t.Errorf("%d messages taken, want 3", q.taken)
	}
}
