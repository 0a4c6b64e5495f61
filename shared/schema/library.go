package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// library validates with github.com/santhosh-tekuri/jsonschema.
type library struct{ schema *jsonschema.Schema }

func compile(id string, doc any) (library, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(id, doc); err != nil {
		return library{}, err
	}
	s, err := c.Compile(id)
	if err != nil {
		return library{}, err
	}
	return library{s}, nil
}

// noLoader refuses references to other documents: a function must not fetch anything.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s: a schema must be whole in its file", url)
}

func (l library) Validate(data []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return errors.New("data is not JSON")
	}
	if !numbersFit(v) {
		return errors.New("data: a number is out of range")
	}
	err = l.schema.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return describe(invalid)
	}
	return err
}

// maxExponent is how many digits a number's exponent may have. The library computes with
// fractions of whole numbers: 1e1000000 costs it 0.15 s in ten bytes of data, and beyond
// big.Rat's range it panics. Four digits hold float64 and decimal128, and cost some µs.
const maxExponent = 4

// numbersFit reports whether the library can compute with every number.
func numbersFit(v any) bool {
	switch v := v.(type) {
	case json.Number:
		at := strings.IndexAny(string(v), "eE")
		return at < 0 || len(strings.TrimLeft(string(v[at+1:]), "+-0")) <= maxExponent
	case []any:
		for _, item := range v {
			if !numbersFit(item) {
				return false
			}
		}
	case map[string]any:
		for _, member := range v {
			if !numbersFit(member) {
				return false
			}
		}
	}
	return true
}

// maxBreaches bounds what one error lists.
const maxBreaches = 5

// describe lists the broken rules as "<JSON Pointer>: <keyword>", without the library's
// own text, which quotes the data.
func describe(v *jsonschema.ValidationError) error {
	var breaches []string
	var walk func(*jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		if len(v.Causes) == 0 {
			keyword := strings.Join(v.ErrorKind.KeywordPath(), "/")
			breaches = append(breaches, pointer(v.InstanceLocation)+": "+keyword)
		}
		for _, c := range v.Causes {
			walk(c)
		}
	}
	walk(v)
	slices.Sort(breaches) // the library finds them in any order
	if n := len(breaches); n > maxBreaches {
		breaches = append(breaches[:maxBreaches], fmt.Sprintf("and %d more", n-maxBreaches))
	}
	return errors.New(strings.Join(breaches, "; "))
}

// pointer is a JSON Pointer (RFC 6901).
func pointer(tokens []string) string {
	if len(tokens) == 0 {
		return "data"
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		_, _ = escape.WriteString(&b, t)
	}
	return b.String()
}
