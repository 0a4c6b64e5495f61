//go:build integration

package deployed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// deadLetters STAGE REASON REDRIVES FILE: each line of the file is a dead letter of the stage.
func deadLetters(ts *testscript.TestScript, s *stack, args []string) error {
	redrives, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	st, ok := spec.StageByName(args[0])
	if !ok {
		return fmt.Errorf("no stage %s", args[0])
	}
	ctx := context.Background()
	q, err := s.broker.Queue(ctx, st.DLQ())
	if err != nil {
		return err
	}
	attrs := pipeline.Attrs{
		ContentType: event.ContentTypeJSON, Attempt: st.MaxAttempts, Stage: st.Name, Redrives: redrives,
		Reason: fault.Reason(args[1]), Error: "it failed", FirstFailure: time.Now(),
	}
	var msgs []queue.Message
	for line := range strings.Lines(ts.ReadFile(args[3])) {
		msgs = append(msgs, queue.Message{Body: []byte(strings.TrimSpace(line)), Attributes: attrs.Map()})
	}
	return errors.Join(q.Send(ctx, msgs)...)
}

// storeEvents FILE writes the events of the file to the event store.
func storeEvents(ts *testscript.TestScript, s *stack, args []string) error {
	ctx := context.Background()
	events, err := mongostore.Open(ctx, mongostore.Options{URI: s.uri})
	if err != nil {
		return err
	}
	defer events.Close()
	var batch []event.Event
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		e, err := event.Parse([]byte(strings.TrimSpace(line)))
		if err != nil {
			return err
		}
		batch = append(batch, e)
	}
	results, err := events.Write(ctx, batch)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}

// putMetric NAME STAGE VALUE: as the stage would have measured just now.
func putMetric(_ *testscript.TestScript, s *stack, args []string) error {
	v, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	values := map[string]string{spec.DimensionService: spec.Service, spec.DimensionStage: args[1], spec.DimensionEnv: s.env}
	datum := types.MetricDatum{MetricName: &args[0], Value: &v}
	for _, name := range spec.Dimensions {
		datum.Dimensions = append(datum.Dimensions, types.Dimension{Name: &name, Value: aws.String(values[name])})
	}
	_, err = cloudwatch.NewFromConfig(s.cfg).PutMetricData(context.Background(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(spec.Namespace), MetricData: []types.MetricDatum{datum},
	})
	return err
}

// wantQueue NAME TEXT...: the events in the queue, taken out of it, one text each: "id redrives",
// or the body where it is no event.
func wantQueue(_ *testscript.TestScript, s *stack, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q, err := s.broker.Queue(ctx, args[0])
	if err != nil {
		return err
	}
	var got []string
	for len(got) < len(args)-1 {
		msgs, err := q.Receive(ctx, queue.ReceiveOptions{Max: queue.MaxBatch, Wait: time.Second})
		if err != nil {
			return fmt.Errorf("%w; so far %v", err, got)
		}
		for _, m := range msgs {
			a, _ := pipeline.ParseAttrs(m.Attributes)
			items, err := pipeline.Unpack(&pipeline.Delivery{Body: m.Body, Attrs: a}, 1<<20)
			if err != nil {
				got = append(got, string(m.Body))
			}
			for _, it := range items {
				got = append(got, fmt.Sprintf("%s %d", it.Event.ID(), a.Redrives))
			}
			if err := errors.Join(q.Delete(ctx, []string{m.Receipt})...); err != nil {
				return err
			}
		}
	}
	want := make(map[string]int)
	for _, w := range args[1:] {
		want[w]++
	}
	for _, g := range got {
		want[g]--
	}
	for text, n := range want {
		if n != 0 {
			return fmt.Errorf("%q: %d missing; got %q", text, n, got)
		}
	}
	return nil
}
