package wire

import "testing"

type pooledStore struct {
	eventStore
	waits int64
}

func (p pooledStore) PoolExhausted() int64 { return p.waits }

func TestPoolExhaustedIsOfTheStoreInUse(t *testing.T) {
	var r rotating
	if n := r.PoolExhausted(); n != 0 {
		t.Errorf("%d without a store", n)
	}
	r.cur = &openStore{eventStore: pooledStore{waits: 7}}
	if n := r.PoolExhausted(); n != 7 {
		t.Errorf("got %d", n)
	}
}
