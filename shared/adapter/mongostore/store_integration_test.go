//go:build integration

package mongostore

import (
	"context"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/conformance/storetest"
	"github.com/millrace-pipeline/millrace/shared/store"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestIntegrationConformance(t *testing.T) {
	databases := pool{t: t, uri: harness.Mongo(t)}
	storetest.Run(t, databases.fresh)
}

// pool hands out empty databases. To empty one is a hundred times faster than to make its
// collections and indexes.
type pool struct {
	t    *testing.T // when it ends, they are dropped
	uri  string
	mu   sync.Mutex
	free []string
}

func (p *pool) fresh(t *testing.T) storetest.Opener {
	name := p.take(t)
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, name)
	})
	return func(t *testing.T, o storetest.Options) store.Store {
		t.Helper()
		s, err := Open(t.Context(), Options{URI: p.uri, Database: name, Aggregate: o.Aggregate, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func (p *pool) take(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		name := p.free[n-1]
		p.free = p.free[:n-1]
		p.empty(t, name)
		return name
	}
	name := harness.Database(p.t, p.uri)
	if err := Init(t.Context(), Options{URI: p.uri, Database: name}); err != nil {
		t.Fatal(err)
	}
	return name
}

func (p *pool) empty(t *testing.T, name string) {
	t.Helper()
	s, err := connect(t.Context(), Options{URI: p.uri, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, c := range collections {
		if _, err := s.collection(c).DeleteMany(context.Background(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	}
}
