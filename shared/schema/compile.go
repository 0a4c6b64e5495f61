package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiler makes nodes of the library's schemas, whose references are resolved.
type compiler struct {
	done map[*jsonschema.Schema]*node // also those under way: schemas may be recursive
}

// The fields of jsonschema.Schema that are known: those that a node is made of, and those
// that say nothing about validity. A schema with any other that is set is the library's
// alone, also with one that a later version of the library brings.
var (
	ruled = []string{
		"Bool", "Types", "Enum", "Const", "Ref", "AllOf", "AnyOf", "OneOf", "Format",
		"Required", "Properties", "AdditionalProperties",
		"MinItems", "MaxItems", "PrefixItems", "Items2020",
		"MinLength", "MaxLength", "Pattern",
		"Maximum", "Minimum", "ExclusiveMaximum", "ExclusiveMinimum",
	}
	ignored = []string{
		"DraftVersion", "Location", "ID", "Anchor",
		"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
	}
)

func (c *compiler) node(s *jsonschema.Schema) (*node, error) {
	s, err := target(s)
	if err != nil {
		return nil, err
	}
	if n, ok := c.done[s]; ok {
		return n, nil
	}
	if err := check(s); err != nil {
		return nil, err
	}
	n := newNode()
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

// target follows references that stand alone, so that their values are walked once.
func target(s *jsonschema.Schema) (*jsonschema.Schema, error) {
	for range maxNesting {
		if rules := rulesOf(s); len(rules) != 1 || rules[0] != "Ref" {
			return s, nil
		}
		s = s.Ref
	}
	return nil, fmt.Errorf("%s: a circle of references", s.Location)
}

// rulesOf names the fields of s that are set and decide about validity.
func rulesOf(s *jsonschema.Schema) (rules []string) {
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && !v.Field(i).IsZero() && !empty(v.Field(i)) && !slices.Contains(ignored, f.Name) {
			rules = append(rules, f.Name)
		}
	}
	return rules
}

func check(s *jsonschema.Schema) error {
	if s.DraftVersion != 2020 {
		return fmt.Errorf("%s: draft %d", s.Location, s.DraftVersion)
	}
	for _, rule := range rulesOf(s) {
		if !slices.Contains(ruled, rule) {
			return fmt.Errorf("%s: %s", s.Location, strings.ToLower(rule[:1])+rule[1:])
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
	if n.any, err = c.nodes(s.AnyOf); err != nil {
		return err
	}
	n.one, err = c.nodes(s.OneOf)
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
			return fmt.Errorf("%s: more than %d required properties", s.Location, maxRequired)
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
			return fmt.Errorf("%s: format regex", s.Location) // the library asks its engine instead
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

// literals of enum and const: a container has many texts for one value, and is left to the
// library, as is a number with a fraction.
func literals(n *node, s *jsonschema.Schema) error {
	var values []any
	switch {
	case s.Enum != nil && s.Const != nil:
		return fmt.Errorf("%s: enum and const at once", s.Location)
	case s.Enum != nil:
		values = s.Enum.Values
	case s.Const != nil:
		values = []any{*s.Const}
	default:
		return nil
	}
	n.literals, n.integers = make(map[string]bool, len(values)), make(map[int64]bool)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n.literals[`"`+v+`"`] = true
		case bool:
			n.literals[strconv.FormatBool(v)] = true
		case nil:
			n.literals["null"] = true
		case json.Number:
			x, ok := numeralOf([]byte(v))
			if !ok || !x.whole {
				return fmt.Errorf("%s: the number %v in enum or const", s.Location, v)
			}
			n.integers[x.integer] = true
		default:
			return fmt.Errorf("%s: enum or const of %T", s.Location, v)
		}
	}
	return nil
}
