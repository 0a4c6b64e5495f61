package wire

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/stage/process"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// eventStore is what the functions use of the event store.
type eventStore interface {
	store.Writer
	process.Leases
	Close() error
}

// opener opens the store at a connection string.
type opener func(ctx context.Context, uri string) (eventStore, error)

// secretText is where the connection string comes from; awsio.Secret is one.
type secretText interface {
	Text(ctx context.Context) (string, error)    // as it was a few minutes ago
	Current(ctx context.Context) (string, error) // as it is now
}

// rotating is an event store whose connection string may change while it is used, and
// which need not answer when the function starts. It looks at the string from time to
// time, and at once when MongoDB refuses it, opens the store anew where it has changed, and
// repeats the call that was refused: a rotation of the password fails no invocation. Calls
// that run on the store before end on it, then it is closed. Before the store could be
// opened each call tries to. It is safe for concurrent use.
type rotating struct {
	uri  secretText
	open opener
	kept func(error) // told why a new string was not taken; the store before goes on
	now  func() time.Time

	mu      sync.Mutex
	cur     *openStore // nil before the first could be opened
	refused error      // why the last attempt to open the first one failed
	tried   time.Time  // when it did
}

// openStore is one store with those who use it.
type openStore struct {
	eventStore
	uri     string
	users   int
	retired bool   // another store has taken its place
	failed  string // the string that was tried last and did not work
}

// start opens the store for the first time.
func (r *rotating) start(ctx context.Context) error {
	uri, err := r.uri.Current(ctx)
	if err == nil {
		var s eventStore
		if s, err = r.open(ctx, uri); err == nil {
			r.cur = &openStore{eventStore: s, uri: uri}
		}
	}
	return fault.Wrap(err, fault.StoreUnreachable, "open store")
}

// Write implements store.Writer. Writing a batch again is harmless (delivery rule 8).
func (r *rotating) Write(ctx context.Context, batch []event.Event) (results []store.Result, err error) {
	err = r.do(ctx, func(s eventStore) error {
		var err error
		results, err = s.Write(ctx, batch)
		if i := slices.IndexFunc(results, func(r store.Result) bool { return mongostore.Denied(r.Err) }); err == nil && i >= 0 {
			return results[i].Err
		}
		return err
	})
	if results != nil {
		return results, nil
	}
	return nil, err
}

// Acquire implements process.Leases.
func (r *rotating) Acquire(ctx context.Context, q store.LeaseRequest) (a store.Acquired, l store.Lease, result []byte, err error) {
	err = r.do(ctx, func(s eventStore) (err error) {
		a, l, result, err = s.Acquire(ctx, q)
		return err
	})
	return a, l, result, err
}

// Finish implements process.Leases.
func (r *rotating) Finish(ctx context.Context, l store.Lease, st store.Status, result []byte) (held bool, err error) {
	err = r.do(ctx, func(s eventStore) (err error) {
		held, err = s.Finish(ctx, l, st, result)
		return err
	})
	return held, err
}

// do calls f, and where MongoDB refuses the connection string and there is a newer one,
// once more.
func (r *rotating) do(ctx context.Context, f func(eventStore) error) error {
	used, err := r.first(ctx)
	if err != nil {
		return err
	}
	err = f(used.eventStore)
	r.leave(used)
	if !mongostore.Denied(err) {
		return err
	}
	next := r.newer(ctx, used)
	if next == nil {
		return err
	}
	defer r.leave(next)
	return f(next.eventStore)
}

// first takes the store: opened, if that could not be done yet, and opened anew where the
// string is another by now. Who takes a store leaves it. A new string that does not work
// leaves the store at hand, which is better than none, and is not tried again until that
// one is refused. Who waited while another call failed to open it fails too.
func (r *rotating) first(ctx context.Context) (*openStore, error) {
	began := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur == nil {
		if r.tried.Before(began) {
			r.refused = r.start(ctx)
			r.tried = r.now()
		}
		if r.cur == nil {
			return nil, r.refused
		}
	} else if uri, err := r.uri.Text(ctx); err == nil && uri != r.cur.uri && uri != r.cur.failed {
		r.replace(ctx, uri)
	}
	r.cur.users++
	return r.cur, nil
}

// newer takes the store that is to be used after another was refused: nil where there is
// none.
func (r *rotating) newer(ctx context.Context, refused *openStore) *openStore {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur == refused {
		if uri, err := r.uri.Current(ctx); err == nil && uri != r.cur.uri {
			r.replace(ctx, uri)
		}
	}
	if r.cur == refused {
		return nil
	}
	r.cur.users++
	return r.cur
}

func (r *rotating) replace(ctx context.Context, uri string) {
	s, err := r.open(ctx, uri)
	if err != nil {
		r.kept(err)
		r.cur.failed = uri
		return
	}
	old := r.cur
	r.cur = &openStore{eventStore: s, uri: uri}
	old.retired = true
	old.closeUnused()
}

func (r *rotating) leave(s *openStore) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.users--
	s.closeUnused()
}

// closeUnused closes a store that nobody uses or will use. It waits for nothing: all that
// can be lost are idle connections.
func (s *openStore) closeUnused() {
	if s.retired && s.users == 0 {
		_ = s.Close()
	}
}
