package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// inbox is the queue with a copy of every page, as of a time: what was there before is not
// looked at. Pages are only looked at: they stay for others.
type inbox struct {
	broker *awsio.Broker
	known  map[string]bool // ids of the messages that were looked at
}

func openInbox(ctx context.Context, b *awsio.Broker) (*inbox, error) {
	in := &inbox{broker: b, known: make(map[string]bool)}
	for m, err := range b.Browse(ctx, spec.Pages) {
		if errors.Is(err, queue.ErrNoQueue) {
			return nil, fmt.Errorf("%w: the deployment is older than on-call; deploy it again", err)
		}
		if err != nil {
			return nil, err
		}
		in.known[m.ID] = true
	}
	return in, nil
}

// find the page of an alarm in a state that has come since the inbox was opened, and since
// the one that was found before.
func (in *inbox) find(ctx context.Context, alarm, state string) (subject string, found bool, err error) {
	for m, err := range in.broker.Browse(ctx, spec.Pages) {
		if err != nil {
			return "", false, err
		}
		if in.known[m.ID] {
			continue
		}
		in.known[m.ID] = true
		var envelope struct{ Subject, Message string }
		var page struct{ AlarmName, NewStateValue string }
		if json.Unmarshal(m.Body, &envelope) != nil || json.Unmarshal([]byte(envelope.Message), &page) != nil {
			continue // nothing of ours: anybody may write into the queue
		}
		if page.AlarmName == alarm && page.NewStateValue == state {
			return envelope.Subject, true, nil
		}
	}
	return "", false, nil
}
