package handlers

import (
	"fmt"
	"strings"
)

// Registry finds the handler of an event type. It is immutable: any number of
// goroutines may use it.
type Registry struct {
	exact  map[string]*Handler
	prefix map[string]*Handler // by the prefix without its ".*"

	longest int // bytes of the longest prefix
	effects bool
}

// New makes the registry of the table. An error names what is wrong with the settings
// or with a row.
func New(s Settings) (*Registry, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	return NewRegistry(Table(s))
}

// NewRegistry makes a registry of other rows than the table's.
func NewRegistry(rows []Handler) (*Registry, error) {
	r := &Registry{exact: make(map[string]*Handler), prefix: make(map[string]*Handler)}
	for _, h := range rows {
		if err := r.add(h); err != nil {
			return nil, fmt.Errorf("handler table, type %q: %w", h.Type, err)
		}
	}
	return r, nil
}

func (r *Registry) add(h Handler) error {
	name, isPrefix := strings.CutSuffix(h.Type, ".*")
	switch {
	case name == "":
		return fmt.Errorf("want an event type, or a prefix ending in \".*\"")
	case strings.Contains(name, "*"):
		return fmt.Errorf("\"*\" is allowed only at the end, after a dot")
	case h.Handle != nil && h.Effect != nil:
		return fmt.Errorf("has both Handle and Effect")
	case h.Handle == nil && h.Effect == nil && !h.Aggregate:
		return fmt.Errorf("has nothing to do: no Handle, no Effect, no Aggregate")
	}
	rows := r.exact
	if isPrefix {
		rows = r.prefix
		r.longest = max(r.longest, len(name))
	}
	if rows[name] != nil {
		return fmt.Errorf("two rows have this type")
	}
	rows[name] = &h
	r.effects = r.effects || h.Effect != nil
	return nil
}

// Find returns the most specific row for an event type, nil if none matches.
func (r *Registry) Find(eventType string) *Handler {
	if h := r.exact[eventType]; h != nil {
		return h
	}
	// Nothing beyond the longest prefix can match: a type of 8,000 dots costs no more.
	s := eventType[:min(len(eventType), r.longest+1)]
	for i := strings.LastIndexByte(s, '.'); i > 0; i = strings.LastIndexByte(s[:i], '.') {
		if h := r.prefix[s[:i]]; h != nil {
			return h
		}
	}
	return nil
}

// Aggregates reports whether the store keeps aggregates for an event type, as stored.
func (r *Registry) Aggregates(eventType string) bool {
	h := r.Find(eventType)
	return h != nil && h.Aggregate
}

// HasEffects reports whether any row has an Effect: then the process stage needs leases.
func (r *Registry) HasEffects() bool { return r.effects }
