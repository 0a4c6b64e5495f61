// Package emftest checks lines of Amazon CloudWatch's embedded metric format, which
// CloudWatch itself does not: it drops what breaks a rule without a word.
package emftest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// maxLine is the most bytes of a log event in CloudWatch Logs (1 MB, 26 of them
// CloudWatch's own: Amazon CloudWatch Logs User Guide, "CloudWatch Logs quotas").
const maxLine = 1<<20 - 26

//go:embed emf.schema.json
var schema []byte

// Checker checks lines. Make one with New; it is safe for concurrent use.
type Checker struct {
	document, target, histogram *jsonschema.Schema
}

// New compiles the schema of the format.
func New() (*Checker, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	const name = "emf.schema.json"
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	var ck Checker
	for at, to := range map[string]**jsonschema.Schema{"": &ck.document, "#/$defs/target": &ck.target, "#/$defs/histogram": &ck.histogram} {
		if *to, err = c.Compile(name + at); err != nil {
			return nil, err
		}
	}
	return &ck, nil
}

// Doc is one line that was found right.
type Doc struct {
	Timestamp int64 // Unix milliseconds
	Units     map[string]spec.Unit
	Values    map[string][]Value // by metric, as CloudWatch would extract them
	Root      map[string]any     // everything on the root node
}

// Value of a metric and how often it occurred.
type Value struct {
	Value float64
	Count int
}

// Sum and count of the values of a metric.
func (d *Doc) Sum(metric string) (sum float64, count int) {
	for _, v := range d.Values[metric] {
		sum += v.Value * float64(v.Count)
		count += v.Count
	}
	return sum, count
}

// Lines checks all lines of an output and returns those that carry metrics. Lines that
// are not JSON objects with the member _aws are the log's and are passed over.
func (c *Checker) Lines(output []byte) ([]Doc, error) {
	var docs []Doc
	var errs []error
	for i, line := range bytes.Split(output, []byte("\n")) {
		if !bytes.HasPrefix(line, []byte(`{"_aws"`)) {
			continue
		}
		d, err := c.Check(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		docs = append(docs, d)
	}
	return docs, errors.Join(errs...)
}

// Check checks one line against the format, and against what Millrace promises of all
// of its lines: its namespace, exactly the dimension set of spec.Dimensions, and the
// names and units of spec.Metrics.
func (c *Checker) Check(line []byte) (Doc, error) {
	d := Doc{Units: map[string]spec.Unit{}, Values: map[string][]Value{}}
	if len(line) > maxLine {
		return d, fmt.Errorf("%d bytes, the most is %d", len(line), maxLine)
	}
	root, err := object(line)
	if err != nil {
		return d, err
	}
	if err := c.document.Validate(root); err != nil {
		return d, err
	}
	d.Root = root
	var meta struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []directive
		} `json:"_aws"`
	}
	if err := json.Unmarshal(line, &meta); err != nil {
		return d, err
	}
	d.Timestamp = meta.AWS.Timestamp
	var errs []error
	for _, m := range meta.AWS.CloudWatchMetrics {
		errs = append(errs, m.check(root), c.extract(&d, m))
	}
	return d, errors.Join(errs...)
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []struct {
		Name string
		Unit spec.Unit
	}
}

func (m directive) check(root map[string]any) error {
	var errs []error
	if m.Namespace != spec.Namespace {
		errs = append(errs, fmt.Errorf("namespace %q", m.Namespace))
	}
	if len(m.Dimensions) != 1 || !slices.Equal(m.Dimensions[0], spec.Dimensions[:]) {
		errs = append(errs, fmt.Errorf("dimensions %q, want the one set %q", m.Dimensions, spec.Dimensions))
	}
	for _, set := range m.Dimensions {
		for _, name := range set {
			v, ok := root[name].(string)
			if !ok {
				errs = append(errs, fmt.Errorf("dimension %s: the root node has %v, want a string", name, root[name]))
			} else if err := spec.CheckDimension(v); err != nil {
				errs = append(errs, fmt.Errorf("dimension %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Checker) extract(d *Doc, m directive) error {
	var errs []error
	for _, def := range m.Metrics {
		row, ok := spec.MetricByName(def.Name)
		stage, _ := d.Root[spec.DimensionStage].(string)
		switch {
		case !ok || row.Unit != def.Unit || !row.EmittedBy(stage):
			errs = append(errs, fmt.Errorf("%s in %s of stage %s is not in the table of metrics", def.Name, def.Unit, stage))
			continue
		case d.Units[def.Name] != "":
			errs = append(errs, fmt.Errorf("%s is defined twice", def.Name))
			continue
		}
		values, err := c.values(d.Root[def.Name])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", def.Name, err))
			continue
		}
		d.Units[def.Name], d.Values[def.Name] = def.Unit, values
	}
	return errors.Join(errs...)
}

func (c *Checker) values(target any) ([]Value, error) {
	if o, ok := target.(map[string]any); ok {
		if err := c.histogram.Validate(target); err != nil {
			return nil, err
		}
		vs, ns := o["Values"].([]any), o["Counts"].([]any)
		if len(vs) != len(ns) {
			return nil, fmt.Errorf("%d Values and %d Counts", len(vs), len(ns))
		}
		out := make([]Value, len(vs))
		for i := range vs {
			out[i] = Value{number(vs[i]), int(number(ns[i]))}
		}
		return out, nil
	}
	if err := c.target.Validate(target); err != nil {
		return nil, err
	}
	many, ok := target.([]any)
	if !ok {
		many = []any{target}
	}
	out := make([]Value, len(many))
	for i := range many {
		out[i] = Value{number(many[i]), 1}
	}
	return out, nil
}

func number(v any) float64 {
	f, _ := v.(json.Number).Float64() // the schema has made sure of it
	return f
}

// object decodes a JSON object and refuses one with a member given twice: of two
// targets with one name CloudWatch would take either.
func object(line []byte) (map[string]any, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	members, depth := 0, 0
	for key := true; ; {
		tok, err := dec.Token()
		if err != nil {
			break
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 1 && tok != json.Delim('{') {
			if key {
				members++
			}
			key = !key
		}
	}
	if members != len(root) {
		return nil, fmt.Errorf("%d members with %d names: %s", members, len(root), strings.TrimSpace(string(line)))
	}
	return root, nil
}
