package pipeline

import "time"

// Backoff is how long a retried event waits: full jitter over an exponentially growing
// window (AWS Architecture Blog, "Exponential Backoff And Jitter").
type Backoff struct {
	Base time.Duration  // the window of the first retry
	Max  time.Duration  // the largest window; at most queue.MaxDelay
	Rand func() float64 // in [0, 1)
}

// Delay before the retry that follows failed attempt n (1 is the first), whole seconds
// as SQS counts them, at least one.
func (b Backoff) Delay(n int) time.Duration {
	window := b.Base
	for range n - 1 {
		if window >= b.Max {
			break
		}
		window *= 2
	}
	window = min(window, b.Max)
	d := time.Duration(b.Rand() * float64(window)).Truncate(time.Second)
	return max(d, time.Second)
}
