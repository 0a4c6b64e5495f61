package process

import (
	"encoding/json"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// The recorded result of an effect is what its event is replaced by: a CloudEvents JSON
// batch (CloudEvents JSON Event Format 1.0.2, section 4), or {"dropped":"<reason>"}.

type dropRecord struct {
	Dropped string `json:"dropped"`
}

// encodeRecord writes a successful outcome. Events keep their bytes.
func encodeRecord(out pipeline.Outcome) []byte {
	if out.Dropped != "" {
		b, _ := json.Marshal(dropRecord{out.Dropped}) // a string always encodes
		return b
	}
	b := []byte{'['}
	for i := range out.Forward {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, out.Forward[i].JSON()...)
	}
	return append(b, ']')
}

// decodeRecord is the inverse of encodeRecord. A record that it did not write is a bug
// or damage in the store: the event is retried and then dead-lettered, and the effect
// is not repeated.
func decodeRecord(b []byte) pipeline.Outcome {
	if len(b) > 0 && b[0] == '{' {
		var drop dropRecord
		if err := json.Unmarshal(b, &drop); err != nil || drop.Dropped == "" {
			return damaged(err)
		}
		return pipeline.Drop(drop.Dropped)
	}
	items, err := event.ParseBatch(b)
	if err != nil {
		return damaged(err)
	}
	events := make([]event.Event, len(items))
	for i := range items {
		if items[i].Err != nil {
			return damaged(items[i].Err)
		}
		events[i] = items[i].Event
	}
	return pipeline.Forward(events...)
}

func damaged(err error) pipeline.Outcome {
	return pipeline.Fail(&fault.Error{
		Kind: fault.Bug.Info().Kind, Reason: fault.Bug, Op: "read the recorded result of an effect", Err: err,
	})
}
