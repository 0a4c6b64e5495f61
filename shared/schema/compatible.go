package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
)

// Problem is why a version of a schema may refuse data that the version before accepts.
type Problem struct {
	Type    string `json:"type"`
	Version int    `json:"version"` // the newer one
	Path    string `json:"path"`    // JSON Pointer into the newer schema
	What    string `json:"what"`
}

func (p Problem) String() string {
	return fmt.Sprintf("%s v%d at %s: %s", p.Type, p.Version, p.Path, p.What)
}

// Compatible checks each version against the one before: what was valid must stay valid
// (backward compatibility), since events of the older version are still in flight, in
// dead-letter queues and in the store when the newer one is deployed.
//
// The check is by the schemas alone and errs on the safe side: a change that it cannot
// prove harmless is a problem. One thing it takes for granted: a property that the
// older version does not name was never sent.
func (r *Registry) Compatible() []Problem {
	var problems []Problem
	for i := 1; i < len(r.all); i++ {
		before, s := r.all[i-1], r.all[i]
		if before.Type != s.Type {
			continue
		}
		c := comparison{root: [2]any{before.document, s.document}}
		c.schema("", before.document, s.document)
		for _, p := range c.problems {
			p.Type, p.Version = s.Type, s.Version
			problems = append(problems, p)
		}
	}
	return problems
}

// comparison walks two versions side by side.
type comparison struct {
	root     [2]any // the older and the newer document
	depth    int
	problems []Problem
}

// maxDepth ends the walk of schemas that refer to themselves.
const maxDepth = 64

func (c *comparison) problem(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: cmp.Or(path, "/"), What: fmt.Sprintf(format, args...)})
}

func (c *comparison) schema(path string, before, after any) {
	if reflect.DeepEqual(before, after) && !hasRef(after) || after == true || before == false {
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		return // the same pairs again: what differs was found further up
	}
	old, okOld := resolve(c.root[0], before).(map[string]any)
	now, okNow := resolve(c.root[1], after).(map[string]any)
	if before == true {
		old, okOld = map[string]any{}, true
	}
	if !okOld || !okNow {
		c.problem(path, "nothing is valid any more")
		return
	}
	c.types(path, old, now)
	c.values(path, old, now)
	c.bounds(path, old, now)
	c.object(path, old, now)
	c.array(path, old, now)
	c.others(path, old, now)
}

func hasRef(v any) bool {
	b, err := json.Marshal(v)
	return err != nil || strings.Contains(string(b), `"$ref"`)
}

// resolve follows a local reference that stands alone.
func resolve(root, s any) any {
	for range maxDepth {
		m, ok := s.(map[string]any)
		ref, isRef := m["$ref"].(string)
		if !ok || !isRef || !strings.HasPrefix(ref, "#/") {
			return s
		}
		s = root
		for _, token := range strings.Split(ref[2:], "/") {
			token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
			at, _ := s.(map[string]any)
			s = at[token]
		}
	}
	return s
}

func (c *comparison) types(path string, old, now map[string]any) {
	after, ok := typesOf(now)
	if !ok {
		return
	}
	before, ok := typesOf(old)
	if !ok {
		c.problem(path+"/type", "any type was valid, now only %s", strings.Join(after, ", "))
		return
	}
	for _, t := range before {
		widened := t == "integer" && slices.Contains(after, "number")
		if !slices.Contains(after, t) && !widened {
			c.problem(path+"/type", "%s was valid and is not any more", t)
		}
	}
}

func typesOf(s map[string]any) ([]string, bool) {
	switch t := s["type"].(type) {
	case string:
		return []string{t}, true
	case []any:
		var names []string
		for _, v := range t {
			name, _ := v.(string)
			names = append(names, name)
		}
		return names, true
	}
	return nil, false
}

// values compares enum and const.
func (c *comparison) values(path string, old, now map[string]any) {
	after, ok := enumOf(now)
	if !ok {
		return
	}
	before, ok := enumOf(old)
	if !ok {
		c.problem(path, "the values are limited to %d now", len(after))
		return
	}
	for _, v := range before {
		if !slices.ContainsFunc(after, func(w any) bool { return reflect.DeepEqual(v, w) }) {
			c.problem(path, "the value %v was valid and is not any more", v)
		}
	}
}

func enumOf(s map[string]any) ([]any, bool) {
	if v, ok := s["const"]; ok {
		return []any{v}, true
	}
	v, ok := s["enum"].([]any)
	return v, ok
}

// lower bounds must not rise, upper bounds must not fall.
var (
	lower = []string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
	upper = []string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
)

func (c *comparison) bounds(path string, old, now map[string]any) {
	for i, names := range [][]string{lower, upper} {
		for _, name := range names {
			after, ok := number(now[name])
			if !ok {
				continue
			}
			before, ok := number(old[name])
			tighter := !ok || i == 0 && after.Cmp(before) > 0 || i == 1 && after.Cmp(before) < 0
			if tighter {
				c.problem(path+"/"+name, "the bound is tighter: %v, was %v", now[name], old[name])
			}
		}
	}
}

func number(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}

func (c *comparison) object(path string, old, now map[string]any) {
	before, after := stringList(old["required"]), stringList(now["required"])
	for _, name := range after {
		if !slices.Contains(before, name) {
			c.problem(path+"/required", "%q is required now", name)
		}
	}
	oldProps, _ := old["properties"].(map[string]any)
	nowProps, _ := now["properties"].(map[string]any)
	rest, hasRest := now["additionalProperties"]
	for _, name := range slices.Sorted(maps.Keys(oldProps)) {
		p, named := nowProps[name]
		switch at := path + "/properties/" + pointer([]string{name})[1:]; {
		case named:
			c.schema(at, oldProps[name], p)
		case hasRest:
			c.schema(path+"/additionalProperties", oldProps[name], rest)
		}
	}
	if oldRest, ok := old["additionalProperties"]; hasRest && ok {
		c.schema(path+"/additionalProperties", oldRest, rest)
	}
}

func stringList(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}

func (c *comparison) array(path string, old, now map[string]any) {
	after, ok := now["items"]
	if !ok {
		return
	}
	before, ok := old["items"]
	if !ok {
		before = true
	}
	c.schema(path+"/items", before, after)
}

// compared are the keywords that the functions above understand; annotations say nothing
// about validity; $defs are compared where they are referred to.
var compared = append(append([]string{
	"type", "enum", "const", "required", "properties", "additionalProperties", "items",
	"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
}, lower...), upper...)

// others: any other keyword may be dropped, but neither be added nor change.
func (c *comparison) others(path string, old, now map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if !slices.Contains(compared, name) && !reflect.DeepEqual(old[name], now[name]) {
			c.problem(path+"/"+name, "it is new or differs, which cannot be shown to be harmless")
		}
	}
}
