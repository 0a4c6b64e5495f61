package oncall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Object is a small object that several may write at once, none over the other's head.
type Object interface {
	// Load returns the object and its version; of one that is not there yet, nil and "".
	Load(ctx context.Context) (body []byte, version string, err error)
	// Save writes the object if its version is still the one that Load returned. saved is
	// false when it is not: somebody else has written it.
	Save(ctx context.Context, body []byte, version string) (saved bool, err error)
}

// maxConflicts is how often an update starts again because somebody else was faster. Each
// time one of the others has got through, so it takes that many invocations at once to
// fail; the failed one is retried by Lambda.
const maxConflicts = 20

// update changes the open pages: change is called on what is there now, again when
// somebody else writes at the same time. What does not change is not written.
func update(ctx context.Context, o Object, change func(*State) error) (State, error) {
	for range maxConflicts {
		s, version, err := read(ctx, o)
		if err != nil {
			return State{}, err
		}
		before := marshal(s)
		if err := change(&s); err != nil {
			return State{}, err
		}
		next := marshal(s)
		if next == before {
			return s, nil
		}
		saved, err := o.Save(ctx, []byte(next), version)
		if err != nil {
			return State{}, fmt.Errorf("write the open pages: %w", err)
		}
		if saved {
			return s, nil
		}
	}
	return State{}, errors.New("write the open pages: others were faster every time")
}

// read the open pages.
func read(ctx context.Context, o Object) (s State, version string, err error) {
	body, version, err := o.Load(ctx)
	if err != nil {
		return s, "", fmt.Errorf("read the open pages: %w", err)
	}
	if len(body) == 0 {
		return s, version, nil
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, "", fmt.Errorf("the open pages cannot be read, delete the object %s: %w", spec.OpenPagesKey, err)
	}
	return s, version, nil
}
