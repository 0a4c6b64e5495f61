package schema

import (
	"math"
	"regexp"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fast validates data without decoding it: one walk over the text, a twentieth of what the
// library needs. It only ever accepts. What it refuses or cannot judge (a number that it
// would have to round, data nested too deeply) goes to the library, which also makes the
// message. So an accepted event costs no library, and the answers never differ.
type fast struct {
	root *node
	slow Validator
}

func (f fast) Validate(data []byte) error {
	if f.accepts(data) {
		return nil
	}
	return f.slow.Validate(data)
}

// accepts reports whether data certainly satisfies the schema.
func (f fast) accepts(data []byte) bool {
	s := scanner{text: data, steps: minSteps + stepsPerByte*len(data)}
	return s.document(f.root)
}

// quick puts the fast path before the library. Where the schema has a keyword that it does
// not know the library stays alone, and the error says why.
func quick(l library) (Validator, error) {
	c := compiler{done: make(map[*jsonschema.Schema]*node)}
	root, err := c.node(l.schema)
	if err != nil {
		return l, err
	}
	return fast{root, l}, nil
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
	integers map[int64]bool  // the numbers of enum and const, where literals is not nil
	all      []*node         // $ref and allOf
	any      []*node         // anyOf: at least one of them
	one      []*node         // oneOf: exactly one of them
	never    bool            // the schema false

	properties map[string]property
	required   uint64 // the bits of required properties
	closed     bool   // additionalProperties: false
	additional *node

	items              *node
	prefix             []*node
	minItems, maxItems int

	bounded  bool
	bounds   bounds
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

// newNode is the schema that everything satisfies.
func newNode() *node { return &node{kinds: anyKind, maxItems: math.MaxInt, maxRunes: math.MaxInt} }
