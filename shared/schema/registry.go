// Package schema is the schema registry: JSON Schema 2020-12 for the data of event
// types, in versions.
package schema

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Validator decides whether data, a JSON text, satisfies one schema: the library, or the
// fast path before it.
type Validator interface {
	// Validate returns nil or where the data breaks which rule. The text has no value
	// out of the data: it goes into logs.
	Validate(data []byte) error
}

// Schema is one version of the schema of an event type.
type Schema struct {
	Type    string
	Version int
	ID      string // the schema's $id; an event's dataschema names it
	File    string

	document any // the schema itself, decoded
	validate Validator
	slow     string
}

// LeftToLibrary says which keyword, and where, makes the library check every event of this
// schema, at about 15 µs; it is "" where compiled checks accept events, at about 1 µs, and
// the library sees only the others.
func (s *Schema) LeftToLibrary() string { return s.slow }

// Registry holds the schemas. It is immutable: any number of goroutines may use it.
type Registry struct {
	latest map[string]*Schema
	byID   map[string]*Schema
	all    []*Schema // by type and version
	refuse bool
}

var fileName = regexp.MustCompile(`^([a-z0-9][a-z0-9.-]*)/schema-v([1-9][0-9]*)\.json$`)

// Load compiles every <type>/schema-v<N>.json. The versions of a type begin at 1 and
// have no gap. With refuseUnknown an event whose type has no schema is refused.
func Load(files fs.FS, refuseUnknown bool) (*Registry, error) {
	r := &Registry{latest: make(map[string]*Schema), byID: make(map[string]*Schema), refuse: refuseUnknown}
	names, err := fs.Glob(files, "*/schema-v*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s, err := load(files, name)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		if other := r.byID[s.ID]; other != nil {
			return nil, fmt.Errorf("schema %s: its $id is that of %s", name, other.File)
		}
		r.byID[s.ID] = s
		r.all = append(r.all, s)
	}
	slices.SortFunc(r.all, func(a, b *Schema) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), cmp.Compare(a.Version, b.Version))
	})
	for _, s := range r.all {
		before := 0
		if l := r.latest[s.Type]; l != nil {
			before = l.Version
		}
		if s.Version != before+1 {
			return nil, fmt.Errorf("schema %s: version %d of the type is missing", s.File, before+1)
		}
		r.latest[s.Type] = s
	}
	return r, nil
}

func load(files fs.FS, name string) (*Schema, error) {
	m := fileName.FindStringSubmatch(name)
	if m == nil {
		return nil, fmt.Errorf("want the name <type>/schema-v<N>.json, N from 1 on")
	}
	version, err := strconv.Atoi(m[2])
	if err != nil {
		return nil, err
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	object, _ := doc.(map[string]any)
	id, _ := object["$id"].(string)
	if id == "" {
		return nil, fmt.Errorf("it has no $id, by which the dataschema of events could name it")
	}
	l, err := compile(id, doc)
	if err != nil {
		return nil, err
	}
	s := &Schema{Type: m[1], Version: version, ID: id, File: path.Clean(name), document: doc}
	var unknown error
	if s.validate, unknown = quick(l); unknown != nil {
		s.slow = unknown.Error()
	}
	return s, nil
}

// Schemas are all schemas, by type and version.
func (r *Registry) Schemas() []*Schema { return slices.Clone(r.all) }

// Check validates an event's data against the schema that its dataschema names, or
// against the latest of its type where it names none. The errors are
// fault.SchemaViolation and fault.UnknownType.
func (r *Registry) Check(e *event.Event) error {
	s := r.latest[e.Type()]
	if id := e.Schema(); id != "" {
		s = r.byID[id]
		if s != nil && s.Type != e.Type() {
			return fault.New(fault.SchemaViolation, "dataschema names a schema of the type %s", s.Type)
		}
	}
	switch {
	case s == nil && !r.refuse:
		return nil
	case s == nil && e.Schema() != "":
		return fault.New(fault.UnknownType, "the registry has no schema %.200s", e.Schema())
	case s == nil:
		return fault.New(fault.UnknownType, "the registry has no schema of the type %.200s", e.Type())
	case e.Data() == nil:
		return fault.New(fault.SchemaViolation, "%s v%d: the event has no JSON data", s.Type, s.Version)
	}
	if err := s.validate.Validate(e.Data()); err != nil {
		return fault.New(fault.SchemaViolation, "%s v%d: %v", s.Type, s.Version, err)
	}
	return nil
}
