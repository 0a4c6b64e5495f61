package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// cluster is a MongoDB whose password changes.
type cluster struct {
	mu       sync.Mutex
	password string // that it takes
	secret   string // that Secrets Manager has
	cached   string // that was read last
	down     bool   // refuses to be opened
	opened   int
	open     map[*session]bool
}

// session is an open store.
type session struct {
	c        *cluster
	password string
	closed   atomic.Bool
}

var errDenied = fault.Wrap(mongo.CommandError{Code: 18, Name: "AuthenticationFailed"}, fault.StoreUnavailable, "store write")

func (c *cluster) Text(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cached, nil
}

func (c *cluster) Current(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cached = c.secret
	return c.cached, nil
}

func (c *cluster) dial(_ context.Context, uri string) (eventStore, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down || uri != c.password {
		return nil, errors.New("no")
	}
	s := &session{c: c, password: uri}
	c.opened++
	c.open[s] = true
	return s, nil
}

// rotate changes the password; the secret follows when told so.
func (c *cluster) rotate(password string, told bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.password = password
	if told {
		c.secret = password
	}
}

func (s *session) call() error {
	if s.closed.Load() {
		return errors.New("used after it was closed")
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.password != s.c.password {
		return errDenied
	}
	return nil
}

func (s *session) Write(_ context.Context, batch []event.Event) ([]store.Result, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	return make([]store.Result, len(batch)), nil
}

func (s *session) Acquire(context.Context, store.LeaseRequest) (a store.Acquired, l store.Lease, r []byte, err error) {
	return a, l, nil, s.call()
}

func (s *session) Finish(context.Context, store.Lease, store.Status, []byte) (bool, error) {
	return true, s.call()
}

func (s *session) Close() error {
	s.closed.Store(true)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	delete(s.c.open, s)
	return nil
}

func startRotating(t *testing.T) (*rotating, *cluster, *atomic.Int64) {
	t.Helper()
	c := &cluster{password: "0", secret: "0", cached: "0", open: make(map[*session]bool)}
	kept := new(atomic.Int64)
	r := &rotating{uri: c, open: c.dial, kept: func(error) { kept.Add(1) }, now: time.Now}
	if err := r.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, c, kept
}

func TestRotatingRepeatsWhatWasRefused(t *testing.T) {
	r, c, kept := startRotating(t)
	c.rotate("1", true)
	if res, err := r.Write(t.Context(), make([]event.Event, 3)); err != nil || len(res) != 3 {
		t.Fatalf("after a rotation: %v, %v", res, err)
	}
	c.rotate("2", true)
	if _, _, _, err := r.Acquire(t.Context(), store.LeaseRequest{}); err != nil {
		t.Fatal(err)
	}
	c.rotate("3", true)
	if held, err := r.Finish(t.Context(), store.Lease{}, store.Completed, nil); err != nil || !held {
		t.Fatal(held, err)
	}
	if c.opened != 4 || len(c.open) != 1 || kept.Load() != 0 {
		t.Errorf("%d opened, %d open, %d refused", c.opened, len(c.open), kept.Load())
	}
}

func TestRotatingBeforeTheSecretIs(t *testing.T) {
	r, c, _ := startRotating(t)
	c.rotate("1", false)
	if _, err := r.Write(t.Context(), nil); !errors.Is(err, errDenied) || fault.ReasonOf(err) != fault.StoreUnavailable {
		t.Fatalf("the secret is old: %v", err)
	}
	c.rotate("1", true)
	if _, err := r.Write(t.Context(), nil); err != nil {
		t.Fatalf("the secret is new: %v", err)
	}
}

// A secret that is changed to something that does not work harms nobody until the one
// before is refused; then it is tried again each time.
func TestRotatingKeepsWhatWorks(t *testing.T) {
	r, c, kept := startRotating(t)
	c.secret, c.cached = "wrong", "wrong"
	for range 3 {
		if _, err := r.Write(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if kept.Load() != 1 {
		t.Errorf("tried %d times", kept.Load())
	}
	c.rotate("wrong", true)
	c.down = true
	if _, err := r.Write(t.Context(), nil); !errors.Is(err, errDenied) {
		t.Fatalf("nothing can be opened: %v", err)
	}
	c.down = false
	if _, err := r.Write(t.Context(), nil); err != nil {
		t.Fatalf("it can again: %v", err)
	}
}

func TestRotatingNoticesByItself(t *testing.T) {
	r, c, _ := startRotating(t)
	c.rotate("1", true)
	c.cached = "1" // the cache has grown old and was filled anew
	if _, err := r.Write(t.Context(), nil); err != nil || c.opened != 2 || len(c.open) != 1 {
		t.Fatalf("%d opened, %d open, %v", c.opened, len(c.open), err)
	}
}

// A store that does not answer when the function starts is opened by the first call that
// can; those before are unstarted, and many at once share one attempt.
func TestRotatingStartsWithoutTheStore(t *testing.T) {
	c := &cluster{password: "0", secret: "0", cached: "0", down: true, open: make(map[*session]bool)}
	var clock atomic.Int64
	r := &rotating{uri: c, now: func() time.Time { return time.Unix(clock.Load(), 0) }}
	var wg sync.WaitGroup
	unstarted := func() {
		if _, err := r.Write(t.Context(), nil); fault.KindOf(err) != fault.Unstarted || fault.ReasonOf(err) != fault.StoreUnreachable {
			t.Errorf("while it is down: %v", err)
		}
	}
	attempts := 0
	r.open = func(ctx context.Context, uri string) (eventStore, error) {
		if attempts++; attempts == 2 {
			for range 16 { // that come while this one waits for an answer
				wg.Go(unstarted)
			}
			clock.Add(5)
		}
		return c.dial(ctx, uri)
	}
	if err := r.start(t.Context()); fault.ReasonOf(err) != fault.StoreUnreachable {
		t.Fatalf("start: %v", err)
	}
	clock.Add(1)
	unstarted()
	wg.Wait()
	if attempts != 2 || r.PoolExhausted() != 0 {
		t.Errorf("%d attempts, want 2; %d waits", attempts, r.PoolExhausted())
	}
	clock.Add(1)
	c.secret, c.password, c.down = "1", "1", false // it is back, with another password
	for range 2 {
		if _, err := r.Write(t.Context(), nil); err != nil || attempts != 3 {
			t.Errorf("it is back: %v, %d attempts, want 3", err, attempts)
		}
	}
}

// Calls under way end on the store that they began on, and nothing stays open.
func TestRotatingUnderLoad(t *testing.T) {
	r, c, _ := startRotating(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				// Two rotations between a refusal and the second try may refuse it again.
				if _, err := r.Write(t.Context(), nil); err != nil && !errors.Is(err, errDenied) {
					t.Error(err)
				}
			}
		})
	}
	for i := range 50 {
		c.rotate(fmt.Sprint(i+1), true)
		if _, err := r.Write(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if len(c.open) != 1 {
		t.Errorf("%d stores are open", len(c.open))
	}
}
