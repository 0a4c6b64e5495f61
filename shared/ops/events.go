package ops

import (
	"context"
	"iter"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Lister lists events page by page; store.Reader is one.
type Lister interface {
	List(ctx context.Context, f store.Filter, limit int, cursor string) (store.Page, error)
}

// pageSize of a listing without end.
const pageSize = 500

// AllEvents yields every event that the filter selects, newest first, from the cursor
// on, page by page: memory stays the same however many there are.
func AllEvents(ctx context.Context, l Lister, f store.Filter, cursor string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for {
			page, err := l.List(ctx, f, pageSize, cursor)
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
			if cursor = page.Next; cursor == "" {
				return
			}
		}
	}
}
