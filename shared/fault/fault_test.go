package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Rule 3: an error that nobody classified is retried.
func TestUnclassifiedIsTransient(t *testing.T) {
	for _, err := range []error{errors.New("x"), fmt.Errorf("y: %w", errors.New("x")), &Error{}} {
		if KindOf(err) != Transient || ReasonOf(err) != Unknown {
			t.Errorf("%v: %s, %s", err, KindOf(err), ReasonOf(err))
		}
	}
}

func TestWrapKeepsTheFirstReason(t *testing.T) {
	cause := New(SchemaViolation, "/a")
	err := Wrap(fmt.Errorf("check: %w", cause), StoreUnavailable, "write")
	if KindOf(err) != Permanent || ReasonOf(err) != SchemaViolation || !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "write: ") {
		t.Errorf("%v: %s, %s", err, KindOf(err), ReasonOf(err))
	}
	if err := Wrap(errors.New("x"), StoreUnavailable, "write"); ReasonOf(err) != StoreUnavailable || err.Error() != "write: store_unavailable: x" {
		t.Errorf("%v", err)
	}
	if Wrap(nil, Bug, "x") != nil {
		t.Error("nil became an error")
	}
}

// An operator reads the table: every reason says what it means and what to do, and an
// unknown one is treated as such.
func TestReasons(t *testing.T) {
	for _, r := range Reasons() {
		i := r.Info()
		if !strings.HasSuffix(i.Meaning, ".") || i.Fix == "" || string(r) != strings.ToLower(string(r)) {
			t.Errorf("%s: %+v", r, i)
		}
		if i.Passing && i.Kind == Permanent {
			t.Errorf("%s passes by itself and is permanent", r)
		}
		if e := New(r, "detail %d", 1); KindOf(e) != i.Kind || !strings.Contains(e.Error(), "detail 1") {
			t.Errorf("%s: %v", r, e)
		}
	}
	if Reason("nope").Known() || Reason("nope").Info() != Unknown.Info() {
		t.Error("a reason that is not in the table")
	}
}
