package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fast validates data without decoding it: one walk over the text, a sixth of what the
// library needs. It only ever accepts. What it refuses or is unsure of (an escape in a
// key, a number that float64 cannot hold, a schema's rare keyword) goes to the library,
// which also makes the message.
type fast struct {
	root *node
	slow Validator
}

func (f fast) Validate(data []byte) error {
	s := scanner{text: data}
	if s.document(f.root) {
		return nil
	}
	return f.slow.Validate(data)
}

// quick puts the fast path before the library, where the schema has only keywords that it
// knows.
func quick(l library) Validator {
	c := compiler{done: make(map[*jsonschema.Schema]*node)}
	root, err := c.node(l.schema)
	if err != nil {
		return l
	}
	return fast{root, l}
}

// kinds is a set of JSON types.
type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBoolean
	kindInteger // a number without a fraction; kindNumber has it too
	kindNumber
	kindString
	kindArray
	kindObject

	anyKind kinds = 1<<iota - 1
)

var kindNames = map[string]kinds{
	"null": kindNull, "boolean": kindBoolean, "integer": kindInteger, "number": kindNumber | kindInteger,
	"string": kindString, "array": kindArray, "object": kindObject,
}

// node is one schema. A nil *node is the schema that everything satisfies.
type node struct {
	kinds    kinds
	literals map[string]bool // enum and const, as JSON texts; nil: any
	all      []*node         // $ref and allOf
	any      []*node         // anyOf: one of them
	never    bool            // the schema false

	properties map[string]property
	required   uint64 // the bits of required properties
	closed     bool   // additionalProperties: false
	additional *node

	items              *node
	prefix             []*node
	minItems, maxItems int

	bounded  bool // low and high bind integers; other numbers are the library's
	low      int64
	high     int64
	text     bool // the rules below are there: they read a string's characters
	minRunes int
	maxRunes int
	pattern  *regexp.Regexp
	format   func(text []byte) bool
}

// property of an object.
type property struct {
	named bool // in properties: node is its schema; else it is only required
	node  *node
	bit   uint64 // 0: not required
}

// compiler makes nodes of the library's schemas, whose references are resolved.
type compiler struct {
	done map[*jsonschema.Schema]*node // also those under way: schemas may be recursive
}

// known are the fields of jsonschema.Schema that node reads, and annotations. A schema
// with any other that is set is the library's alone.
var known = []string{
	"DraftVersion", "Location", "Bool", "ID", "Anchor", "Types", "Enum", "Const", "Ref", "AllOf", "AnyOf", "Format",
	"Required", "Properties", "AdditionalProperties",
	"MinItems", "MaxItems", "PrefixItems", "Items2020",
	"MinLength", "MaxLength", "Pattern",
	"Maximum", "Minimum", "ExclusiveMaximum", "ExclusiveMinimum",
	"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
}

func (c *compiler) node(s *jsonschema.Schema) (*node, error) {
	if n, ok := c.done[s]; ok {
		return n, nil
	}
	if err := check(s); err != nil {
		return nil, err
	}
	n := &node{kinds: anyKind, maxItems: math.MaxInt, maxRunes: math.MaxInt}
	c.done[s] = n
	if s.Bool != nil {
		n.never = !*s.Bool
		return n, nil
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		n.kinds = 0
		for _, name := range s.Types.ToStrings() {
			n.kinds |= kindNames[name]
		}
	}
	for _, set := range []func(*node, *jsonschema.Schema) error{c.combine, c.object, c.array, literals, numbers, texts} {
		if err := set(n, s); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func check(s *jsonschema.Schema) error {
	if s.DraftVersion != 2020 {
		return fmt.Errorf("draft %d", s.DraftVersion)
	}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !v.Field(i).IsZero() && !slices.Contains(known, f.Name) && !empty(v.Field(i)) {
			return fmt.Errorf("keyword %s", f.Name)
		}
	}
	return nil
}

// empty lists and maps say nothing.
func empty(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}

func (c *compiler) combine(n *node, s *jsonschema.Schema) (err error) {
	all := s.AllOf
	if s.Ref != nil {
		all = append(slices.Clip(all), s.Ref)
	}
	if n.all, err = c.nodes(all); err != nil {
		return err
	}
	n.any, err = c.nodes(s.AnyOf)
	return err
}

func (c *compiler) nodes(list []*jsonschema.Schema) ([]*node, error) {
	var nodes []*node
	for _, s := range list {
		n, err := c.node(s)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// maxRequired is how many bits there are for them.
const maxRequired = 64

func (c *compiler) object(n *node, s *jsonschema.Schema) error {
	n.properties = make(map[string]property, len(s.Properties))
	for name, sub := range s.Properties {
		of, err := c.node(sub)
		if err != nil {
			return err
		}
		n.properties[name] = property{named: true, node: of}
	}
	for _, name := range s.Required {
		p := n.properties[name]
		if p.bit != 0 {
			continue
		}
		if n.required == math.MaxUint64 {
			return fmt.Errorf("more than %d required properties", maxRequired)
		}
		p.bit = n.required + 1 // the next bit: those before are all set
		n.required |= p.bit
		n.properties[name] = p
	}
	switch additional := s.AdditionalProperties.(type) {
	case nil:
	case bool:
		n.closed = !additional
	case *jsonschema.Schema:
		of, err := c.node(additional)
		if err != nil {
			return err
		}
		n.additional = of
	}
	return nil
}

func (c *compiler) array(n *node, s *jsonschema.Schema) (err error) {
	if s.MinItems != nil {
		n.minItems = *s.MinItems
	}
	if s.MaxItems != nil {
		n.maxItems = *s.MaxItems
	}
	if n.prefix, err = c.nodes(s.PrefixItems); err != nil {
		return err
	}
	if s.Items2020 != nil {
		n.items, err = c.node(s.Items2020)
	}
	return err
}

// literals of enum and const: texts that have one form, numbers and containers have more.
func literals(n *node, s *jsonschema.Schema) error {
	var values []any
	switch {
	case s.Enum != nil && s.Const != nil:
		return fmt.Errorf("enum and const at once")
	case s.Enum != nil:
		values = s.Enum.Values
	case s.Const != nil:
		values = []any{*s.Const}
	default:
		return nil
	}
	n.literals = make(map[string]bool, len(values))
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n.literals[`"`+v+`"`] = true
		case bool, nil:
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			n.literals[string(text)] = true
		default:
			return fmt.Errorf("enum of %T", v)
		}
	}
	return nil
}

// numbers sets the bounds as those of integers: the smallest and the largest allowed.
func numbers(n *node, s *jsonschema.Schema) error {
	n.low, n.high = math.MinInt64, math.MaxInt64
	for _, b := range []struct {
		at           *big.Rat
		lower, allow bool
	}{
		{s.Minimum, true, true}, {s.ExclusiveMinimum, true, false}, {s.Maximum, false, true}, {s.ExclusiveMaximum, false, false},
	} {
		if b.at == nil {
			continue
		}
		if !b.at.IsInt() || !b.at.Num().IsInt64() || b.at.Num().Int64() == math.MinInt64 || b.at.Num().Int64() == math.MaxInt64 {
			return fmt.Errorf("bound %v", b.at)
		}
		n.bounded = true
		at := b.at.Num().Int64()
		switch {
		case b.lower && b.allow:
			n.low = max(n.low, at)
		case b.lower:
			n.low = max(n.low, at+1)
		case b.allow:
			n.high = min(n.high, at)
		default:
			n.high = min(n.high, at-1)
		}
	}
	return nil
}

func texts(n *node, s *jsonschema.Schema) (err error) {
	if s.MinLength != nil {
		n.minRunes, n.text = *s.MinLength, true
	}
	if s.MaxLength != nil {
		n.maxRunes, n.text = *s.MaxLength, true
	}
	if s.Pattern != nil {
		n.text = true
		if n.pattern, err = regexp.Compile(s.Pattern.String()); err != nil { // the library's own engine
			return err
		}
	}
	if s.Format != nil {
		if s.Format.Name == "regex" {
			return fmt.Errorf("format regex") // the library asks its engine instead
		}
		n.text, n.format = true, formatOf(s.Format)
	}
	return nil
}

// formatOf asks the library, but for the two formats that events have most.
func formatOf(f *jsonschema.Format) func([]byte) bool {
	slow := func(text []byte) bool { return f.Validate(string(text)) == nil }
	switch f.Name {
	case "date":
		return func(text []byte) bool { return isDate(text) || slow(text) }
	case "date-time":
		return func(text []byte) bool { return isDateTime(text) || slow(text) }
	}
	return slow
}
