package mongostore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestResultOfRefusedDocument(t *testing.T) {
	refused := func(code int, pattern bson.D) *mongo.WriteError {
		raw, err := bson.Marshal(bson.D{{Key: "code", Value: code}, {Key: "keyPattern", Value: pattern}})
		if err != nil {
			t.Fatal(err)
		}
		return &mongo.WriteError{Code: code, Message: "dup key: { email: \"a@b.c\" }", Raw: raw}
	}
	if r := resultOf(refused(codeDuplicateKey, bson.D{{Key: "_id", Value: 1}})); r.Err != nil || !r.Duplicate {
		t.Errorf("the event is there already: %+v", r)
	}
	r := resultOf(refused(codeDuplicateKey, bson.D{{Key: "data.email", Value: 1}, {Key: "type", Value: 1}}))
	if r.Duplicate || fault.ReasonOf(r.Err) != fault.StoreRejected || !strings.Contains(r.Err.Error(), "data.email, type") || strings.Contains(r.Err.Error(), "a@b.c") {
		t.Errorf("a unique index of the user's: %+v", r)
	}
	for code, want := range map[int]fault.Kind{121: fault.Permanent, 10334: fault.Permanent, 11602: fault.Transient, 10107: fault.Transient, 50: fault.Transient} {
		if r := resultOf(refused(code, bson.D{})); r.Duplicate || r.Err == nil || fault.KindOf(r.Err) != want {
			t.Errorf("code %d: %+v, want %s", code, r, want)
		}
	}
}

func TestFailedKeepsTheContractsErrors(t *testing.T) {
	for _, err := range []error{store.ErrNotFound, store.ErrAmbiguous, store.ErrBadCursor} {
		if got := failed(fmt.Errorf("get: %w", err), "op"); !errors.Is(got, err) || fault.ReasonOf(got) != fault.Unknown {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := failed(nil, "op"); err != nil {
		t.Errorf("no error became %v", err)
	}
	if err := failed(errors.New("x"), "op"); fault.ReasonOf(err) != fault.StoreUnavailable || fault.KindOf(err) != fault.Transient {
		t.Errorf("an unknown error became %v", err)
	}
}

// A server that was not found, or that did not let us in, got nothing to do: that is no
// attempt. Whatever else fails may have been begun.
func TestUnreached(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   fault.Reason
		denied bool
	}{
		{errors.New("reset by peer"), fault.StoreUnavailable, false},
		{mongo.CommandError{Code: 112}, fault.StoreUnavailable, false},
		{topology.ServerSelectionError{Wrapped: errors.New("timeout")}, fault.StoreUnreachable, false},
		{fmt.Errorf("x: %w", mongo.CommandError{Code: 13}), fault.StoreUnreachable, true},
		{mongo.CommandError{Code: 18, Name: "AuthenticationFailed"}, fault.StoreUnreachable, true},
		{mongo.CommandError{Code: 8000}, fault.StoreUnreachable, true},
	} {
		if got := failed(c.err, "op"); fault.ReasonOf(got) != c.want || fault.KindOf(got) != c.want.Info().Kind || Denied(got) != c.denied {
			t.Errorf("%v: %v, denied %v", c.err, got, Denied(got))
		}
	}
	if Denied(nil) {
		t.Error("no error is denied")
	}
}
