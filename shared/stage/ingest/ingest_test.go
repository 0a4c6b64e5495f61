package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const one = `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a": 1}}`

func door() *Door { return &Door{MaxEvent: 1 << 20, Now: func() time.Time { return now }} }

func TestDecode(t *testing.T) {
	e, err := event.Parse([]byte(one))
	if err != nil {
		t.Fatal(err)
	}
	packed := pack.Encode([]event.Event{e, e}, pack.Options{Encoding: pack.S2})[0]
	binary := []event.Header{
		{Name: "ce_specversion", Value: []byte("1.0")}, {Name: "ce_id", Value: []byte("1")}, {Name: "ce_source", Value: []byte("/s")},
		{Name: "ce_type", Value: []byte("t")}, {Name: "content-type", Value: []byte("application/json")},
	}
	for name, c := range map[string]struct {
		d      pipeline.Delivery
		events int
		reason fault.Reason
	}{
		"sqs event":               {d: pipeline.Delivery{Body: []byte(" " + one)}, events: 1},
		"sqs batch":               {d: pipeline.Delivery{Body: []byte(" [" + one + "," + one + "]")}, events: 2},
		"sqs batch by type":       {d: pipeline.Delivery{Body: []byte("[]"), Attrs: pipeline.Attrs{ContentType: event.ContentTypeBatch + "; charset=utf-8"}}},
		"sqs pack":                {d: pipeline.Delivery{Body: packed.Body, Attrs: pipeline.Attrs{ContentType: packed.ContentType, Encoding: packed.Encoding}}, events: 2},
		"sqs array said an event": {d: pipeline.Delivery{Body: []byte("[" + one + "]"), Attrs: pipeline.Attrs{ContentType: event.ContentTypeJSON}}, reason: fault.NotCloudEvent},
		"sqs garbage":             {d: pipeline.Delivery{Body: []byte("hello")}, reason: fault.NotJSON},
		"sqs empty":               {d: pipeline.Delivery{}, reason: fault.NotJSON},
		"kafka structured":        {d: pipeline.Delivery{Body: []byte(one), Kafka: &pipeline.KafkaRecord{}}, events: 1},
		"kafka binary":            {d: pipeline.Delivery{Body: []byte(`{"a": 1}`), Kafka: &pipeline.KafkaRecord{Headers: binary}}, events: 1},
		"kafka too large":         {d: pipeline.Delivery{Body: make([]byte, 1<<20+1), Kafka: &pipeline.KafkaRecord{}}, reason: fault.TooLarge},
	} {
		items, err := door().Decode(&c.d)
		if err == nil && len(items) == 1 {
			err = items[0].Err
		}
		if c.reason != "" {
			if fault.ReasonOf(err) != c.reason || fault.KindOf(err) != fault.Permanent {
				t.Errorf("%s: %v, want %s", name, err, c.reason)
			}
			continue
		}
		if err != nil || len(items) != c.events {
			t.Errorf("%s: %d events, %v", name, len(items), err)
		}
		for i := range items {
			if e := &items[i].Event; string(e.Data()) != `{"a": 1}` || e.ID() != "1" {
				t.Errorf("%s: event %s", name, e.JSON())
			}
		}
	}
}

func TestStampsWhenItArrived(t *testing.T) {
	for name, c := range map[string]struct{ arrived, want time.Time }{
		"unknown":         {time.Time{}, now},
		"before":          {now.Add(-time.Minute), now.Add(-time.Minute)},
		"in the future":   {now.Add(time.Hour), now},
		"sender's is cut": {now.Add(-time.Second), now.Add(-time.Second)},
	} {
		body := `{"specversion":"1.0","id":"1","source":"/s","type":"t","receivedtime":"2001-01-01T00:00:00Z"}`
		items, err := door().Decode(&pipeline.Delivery{Body: []byte(body), Arrived: c.arrived})
		if err != nil || items[0].Err != nil {
			t.Fatal(err, items[0].Err)
		}
		if got := items[0].Event.Received(); !got.Equal(c.want) {
			t.Errorf("%s: received %s, want %s", name, got, c.want)
		}
		if string(items[0].Raw) != body {
			t.Errorf("%s: the original bytes are %s", name, items[0].Raw)
		}
	}
}

type refuse string

func (r refuse) Check(e *event.Event) error {
	if e.ID() == string(r) {
		return fault.New(fault.SchemaViolation, "/a")
	}
	return nil
}

func TestStageChecksEach(t *testing.T) {
	batch := make([]event.Event, 3)
	for i, id := range []string{"1", "2", "3"} {
		var err error
		if batch[i], err = event.New("/s", id, "t").Build(); err != nil {
			t.Fatal(err)
		}
	}
	outs := (&Stage{Schema: refuse("2")}).Do(t.Context(), batch)
	if outs[0].Forward[0].ID() != "1" || fault.ReasonOf(outs[1].Err) != fault.SchemaViolation || outs[2].Forward[0].ID() != "3" {
		t.Errorf("%+v", outs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, o := range (&Stage{}).Do(ctx, batch) {
		if fault.KindOf(o.Err) != fault.Unstarted {
			t.Errorf("after the deadline: %v", o.Err)
		}
	}
}
