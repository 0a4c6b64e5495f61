package queue

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// receipt names one receive of one message: the number-th receive ever of the message in
// row seq, out of the queue.
type receipt struct {
	queue, seq, number int64
}

func (r receipt) String() string { return fmt.Sprintf("%d.%d.%d", r.queue, r.seq, r.number) }

// parseReceipt reads a receipt of the queue.
func (q *Queue) parseReceipt(s string) (receipt, error) {
	var n [3]int64
	parts := strings.Split(s, ".")
	ok := len(parts) == len(n)
	for i := 0; ok && i < len(n); i++ {
		v, err := strconv.ParseInt(parts[i], 10, 64)
		n[i], ok = v, err == nil && v > 0
	}
	r := receipt{queue: n[0], seq: n[1], number: n[2]}
	if !ok || r.queue != q.id {
		return r, fmt.Errorf("%w: %.80q", queue.ErrReceipt, s)
	}
	return r, nil
}
