package wire

// PoolExhausted is that of the store in use, which counts anew when it is opened anew
// (shared/function takes the difference for a metric).
func (r *rotating) PoolExhausted() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur == nil {
		return 0
	}
	if p, ok := r.cur.eventStore.(interface{ PoolExhausted() int64 }); ok {
		return p.PoolExhausted()
	}
	return 0
}
