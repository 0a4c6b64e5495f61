// Package oncalltest is the conformance suite of oncall.Object, and the one in memory.
package oncalltest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// Object is oncall.Object, which cannot be imported by what the tests of package oncall
// import.
type Object interface {
	Load(ctx context.Context) (body []byte, version string, err error)
	Save(ctx context.Context, body []byte, version string) (saved bool, err error)
}

// Memory is an oncall.Object in memory. The zero value does not exist yet.
type Memory struct {
	mu      sync.Mutex
	body    []byte
	version int
}

// Load implements oncall.Object.
func (m *Memory) Load(context.Context) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body, m.now(), nil
}

func (m *Memory) now() string {
	if m.body == nil {
		return ""
	}
	return strconv.Itoa(m.version)
}

// Save implements oncall.Object.
func (m *Memory) Save(_ context.Context, body []byte, version string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != m.now() {
		return false, nil
	}
	m.body, m.version = body, m.version+1
	return true, nil
}

// TestObject holds an implementation to the contract. open returns the same object, that
// does not exist yet, every time: several writers have one each.
func TestObject(t *testing.T, open func(t *testing.T) Object) {
	ctx := t.Context()
	a, b := open(t), open(t)
	body, none, err := a.Load(ctx)
	if err != nil || body != nil || none != "" {
		t.Fatalf("an object that is not there: %q %q %v", body, none, err)
	}
	save := func(o Object, body, version string, want bool) {
		t.Helper()
		saved, err := o.Save(ctx, []byte(body), version)
		if err != nil || saved != want {
			t.Fatalf("save %s over %q: %v %v, want %v", body, version, saved, err, want)
		}
	}
	save(a, "1", none, true)
	save(b, "2", none, false) // b thinks that it is not there
	_, first, err := b.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	save(b, "2", first, true)
	save(a, "3", first, false) // a has not seen b's
	body, _, err = a.Load(ctx)
	if err != nil || string(body) != "2" {
		t.Fatalf("%s %v, want 2", body, err)
	}
	testRace(t, open)
}

// testRace: of writers at once none overwrites another's work.
func testRace(t *testing.T, open func(t *testing.T) Object) {
	const writers, each = 4, 5
	o := open(t)
	_, v, err := o.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := o.Save(t.Context(), []byte("0"), v); !ok || err != nil {
		t.Fatal(ok, err)
	}
	errs := make(chan error, writers)
	for range writers {
		mine := open(t)
		go func() { errs <- count(t.Context(), mine, each) }()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if body, _, err := o.Load(t.Context()); err != nil || string(body) != strconv.Itoa(writers*each) {
		t.Fatalf("counted to %s (%v), want %d: a write was lost", body, err, writers*each)
	}
}

func count(ctx context.Context, o Object, n int) error {
	for done := 0; done < n; {
		body, v, err := o.Load(ctx)
		if err != nil {
			return err
		}
		k, err := strconv.Atoi(string(body))
		if err != nil {
			return fmt.Errorf("read %q", body)
		}
		ok, err := o.Save(ctx, []byte(strconv.Itoa(k+1)), v)
		if err != nil {
			return err
		}
		if ok {
			done++
		}
	}
	return nil
}
