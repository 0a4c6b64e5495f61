package wire

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"

	"github.com/millrace-pipeline/millrace/shared/event"
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

// rotating is an event store whose connection string may change while it is used. It looks
// at the string from time to time, and at once when MongoDB refuses it, opens the store
// anew where it has changed, and repeats the call that was refused: a rotation of the
// password fails no invocation. Calls that run on the store before end on it, then it is
// closed. It is safe for concurrent use.
type rotating struct {
	uri  secretText
	open opener
	kept func(error) // told why a new string was not taken; the store before goes on

	mu  sync.Mutex
	cur *openStore
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
	uri, err := r.uri.Text(ctx)
	if err != nil {
		return err
	}
	s, err := r.open(ctx, uri)
	if err != nil {
		return err
	}
	r.cur = &openStore{eventStore: s, uri: uri}
	return nil
}

// Write implements store.Writer. Writing a batch again is harmless (delivery rule 8).
func (r *rotating) Write(ctx context.Context, batch []event.Event) (results []store.Result, err error) {
	err = r.do(ctx, func(s eventStore) error {
		var err error
		results, err = s.Write(ctx, batch)
		if i := slices.IndexFunc(results, func(r store.Result) bool { return denied(r.Err) }); err == nil && i >= 0 {
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
	used, _ := r.take(ctx, r.uri.Text, nil)
	err := f(used.eventStore)
	r.leave(used)
	if !denied(err) {
		return err
	}
	next, newer := r.take(ctx, r.uri.Current, used)
	defer r.leave(next)
	if !newer {
		return err
	}
	return f(next.eventStore)
}

// take returns the store to use, opened anew where the string that ask answers is another,
// and whether it is another than before. Who takes a store leaves it. Where there is no
// new string, or it does not work, the store at hand is better than none; a string that
// did not work is tried again only when the one at hand is refused.
func (r *rotating) take(ctx context.Context, ask func(context.Context) (string, error), before *openStore) (s *openStore, newer bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur == before || before == nil {
		if uri, err := ask(ctx); err == nil && uri != r.cur.uri && (uri != r.cur.failed || before != nil) {
			r.replace(ctx, uri)
		}
	}
	r.cur.users++
	return r.cur, r.cur != before
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

// Codes by which a server refuses who asks (mongo/base/error_codes.yml; Atlas answers
// 8000 for a wrong password).
var deniedCodes = []int{13, 18, 8000}

// denied reports that MongoDB does not take the user or the password.
func denied(err error) bool {
	var handshake *auth.Error
	if errors.As(err, &handshake) {
		return true
	}
	var server mongo.ServerError
	return errors.As(err, &server) && slices.ContainsFunc(deniedCodes, server.HasErrorCode)
}
