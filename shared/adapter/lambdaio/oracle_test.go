package lambdaio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// The oracle does what Decode does on the tree that encoding/json makes of the payload,
// with encoding/base64: slow, and simple enough to see that it is right.

type object = map[string]any

var errOracle = errors.New("not what it should be")

// checkOracle compares Decode with the oracle on any bytes.
func checkOracle(t *testing.T, payload []byte) {
	t.Helper()
	before := bytes.Clone(payload)
	got, err := Decode(payload)
	if !bytes.Equal(before, payload) {
		t.Fatal("Decode wrote to the payload")
	}
	if ambiguous(payload) {
		return
	}
	want, wantErr := oracleDecode(payload)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("Decode: %v; oracle: %v; payload %q", err, wantErr, payload)
	}
	if err != nil {
		return
	}
	normalize(got)
	normalize(want) // a body in base64 need not be UTF-8
	// The tree has no order of partitions.
	sort.SliceStable(got.Deliveries, func(i, j int) bool {
		return partitionOf(got.Deliveries[i]) < partitionOf(got.Deliveries[j])
	})
	sort.SliceStable(want.Deliveries, func(i, j int) bool {
		return partitionOf(want.Deliveries[i]) < partitionOf(want.Deliveries[j])
	})
	if len(got.Deliveries) == 0 {
		got.Deliveries = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("oracle -, Decode +\n%s", diff)
	}
}

func partitionOf(d pipeline.Delivery) string {
	if d.Kafka == nil {
		return ""
	}
	return d.ID[:strings.LastIndexByte(d.ID, '@')]
}

// ambiguous tells the payloads of which the tree does not show everything: names given
// twice, nesting beyond what Decode takes, and both kinds of records at once.
func ambiguous(payload []byte) bool {
	if bytes.Count(payload, []byte("["))+bytes.Count(payload, []byte("{")) >= maxDepth {
		return true
	}
	return twice(json.NewDecoder(bytes.NewReader(payload)))
}

// twice reports whether an object in d has a name twice, letter case aside.
func twice(d *json.Decoder) bool {
	type level struct {
		names map[string]bool // nil in an array
		name  bool            // a name comes next
	}
	stack := []level{{}}
	for {
		token, err := d.Token()
		if err != nil {
			return false // not JSON: the same for both
		}
		top := &stack[len(stack)-1]
		if name, ok := token.(string); ok && top.name {
			folded := strings.ToLower(name)
			if top.names[folded] {
				return true
			}
			top.names[folded] = true
			top.name = false
			continue
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		top.name = top.names != nil
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}, name: true})
		case json.Delim('['):
			stack = append(stack, level{})
		}
	}
}

// normalize gives the strings of Decode the form that encoding/json gives them: bytes
// that are not UTF-8 are U+FFFD.
func normalize(in *Invocation) {
	utf := func(s *string) { *s = string([]rune(*s)) }
	text := func(b *[]byte) {
		if *b != nil {
			*b = []byte(string([]rune(string(*b))))
		}
	}
	stringMap := func(m map[string]string) map[string]string {
		if m == nil {
			return nil
		}
		out := map[string]string{}
		for k, v := range m {
			utf(&k)
			utf(&v)
			out[k] = v
		}
		return out
	}
	utf(&in.SourceARN)
	for i := range in.Deliveries {
		d := &in.Deliveries[i]
		utf(&d.ID)
		if d.Kafka != nil {
			utf(&d.Kafka.Topic)
			for j := range d.Kafka.Headers {
				utf(&d.Kafka.Headers[j].Name)
			}
			continue
		}
		text(&d.Body)
		d.Foreign = stringMap(d.Foreign)
		for _, s := range []*string{&d.Attrs.ContentType, &d.Attrs.Encoding, &d.Attrs.TraceParent,
			(*string)(&d.Attrs.Reason), &d.Attrs.Stage, &d.Attrs.Error} {
			utf(s)
		}
	}
	if r := in.HTTP; r != nil {
		for _, s := range []*string{&r.Method, &r.Path, &r.Query, &r.SourceIP, &r.RequestID} {
			utf(s)
		}
		text(&r.Body)
		r.Headers = stringMap(r.Headers)
	}
}

// oracle collects the first error, so that its functions return values only.
type oracle struct{ err error }

func (o *oracle) fail() {
	if o.err == nil {
		o.err = errOracle
	}
}

func (o *oracle) object(v any) object {
	m, ok := v.(object)
	if !ok && v != nil {
		o.fail()
	}
	return m
}

func (o *oracle) array(v any) []any {
	a, ok := v.([]any)
	if !ok && v != nil {
		o.fail()
	}
	return a
}

func (o *oracle) text(v any) []byte {
	s, ok := v.(string)
	if !ok {
		if v != nil {
			o.fail()
		}
		return nil
	}
	return []byte(s)
}

func (o *oracle) integer(v any, least, most int64) int64 {
	n, ok := v.(json.Number)
	if !ok {
		o.fail()
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || i < least || i > most {
		o.fail()
	}
	return i
}

func (o *oracle) base64(v any) []byte {
	if v == nil {
		return nil
	}
	s := string(o.text(v))
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		o.fail()
	}
	return b
}

func oracleTree(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errOracle
	}
	return v, nil
}

func oracleDecode(payload []byte) (*Invocation, error) {
	tree, err := oracleTree(payload)
	if err != nil {
		return nil, err
	}
	m, ok := tree.(object)
	if !ok {
		return nil, errOracle
	}
	o, in := new(oracle), new(Invocation)
	str := func(name string) string { s, _ := m[name].(string); return s }
	has := func(name string) bool { _, ok := m[name]; return ok }
	switch {
	case has("Records"):
		in.Kind = SQS
		for i, r := range o.array(m["Records"]) {
			d, arn := o.sqs(o.object(r))
			if i == 0 {
				in.SourceARN = arn
			}
			in.Deliveries = append(in.Deliveries, d)
		}
	case has("records"):
		in.Kind, in.SourceARN = Kafka, str("eventSourceArn")
		for _, list := range o.object(m["records"]) {
			for _, r := range o.array(list) {
				in.Deliveries = append(in.Deliveries, o.kafka(o.object(r)))
			}
		}
		if s := str("eventSource"); s != "aws:kafka" && s != "SelfManagedKafka" && s != "aws:SelfManagedKafka" {
			o.fail()
		}
	case has("detail-type"):
		in.Kind, in.Schedule = Schedule, new(ScheduledEvent)
		if s := str("source"); str("detail-type") != "Scheduled Event" || s != "aws.events" && s != "aws.scheduler" {
			o.fail()
		}
		if json.Unmarshal(payload, in.Schedule) != nil {
			o.fail()
		}
	case has("requestContext"):
		in.Kind, in.HTTP = HTTP, o.http(m)
		if str("version") != "2.0" {
			o.fail()
		}
	default:
		in.Kind, in.Direct = Direct, payload
	}
	return in, o.err
}

func (o *oracle) kafka(r object) pipeline.Delivery {
	ts, present := r["timestamp"]
	ms := int64(-1)
	if present {
		ms = o.integer(ts, math.MinInt64, math.MaxInt64)
	}
	k := &pipeline.KafkaRecord{
		Topic:     string(o.text(r["topic"])),
		Partition: int32(o.integer(r["partition"], 0, math.MaxInt32)),
		Offset:    o.integer(r["offset"], 0, math.MaxInt64),
		Key:       o.base64(r["key"]),
	}
	if k.Topic == "" {
		o.fail()
	}
	for _, h := range o.array(r["headers"]) {
		for name, value := range o.object(h) { // more than one name would have no order
			header := event.Header{Name: name}
			if value != nil {
				header.Value = []byte{}
			}
			for _, c := range o.array(value) {
				header.Value = append(header.Value, byte(o.integer(c, -128, 255)))
			}
			k.Headers = append(k.Headers, header)
		}
	}
	id := k.Topic + "-" + strconv.Itoa(int(k.Partition)) + "@" + strconv.FormatInt(k.Offset, 10)
	return pipeline.Delivery{ID: id, Body: o.base64(r["value"]), Kafka: k, Arrived: oracleTime(ms)}
}

func oracleTime(ms int64) time.Time {
	if ms < 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (o *oracle) sqs(r object) (pipeline.Delivery, string) {
	id, source := string(o.text(r["messageId"])), string(o.text(r["eventSource"]))
	if alt, ok := r["EventSource"]; ok {
		source = string(o.text(alt))
	}
	if id == "" || source != "aws:sqs" {
		o.fail()
	}
	system := map[string]string{}
	for name, v := range o.object(r["attributes"]) {
		system[name] = string(o.text(v))
	}
	number := func(name string, otherwise, most int64) int64 {
		n, err := strconv.ParseInt(system[name], 10, 64)
		if err != nil || n < 0 || n > most {
			return otherwise
		}
		return n
	}
	d := pipeline.Delivery{
		ID: id, Body: o.text(r["body"]),
		Receive:       int(number("ApproximateReceiveCount", 0, math.MaxInt32)),
		Arrived:       oracleTime(number("SentTimestamp", -1, math.MaxInt64)),
		FirstReceived: oracleTime(number("ApproximateFirstReceiveTimestamp", -1, math.MaxInt64)),
	}
	attrs := o.attributes(r["messageAttributes"], "dataType", "stringValue", "binaryValue")
	if len(attrs) == 0 {
		d.Body, attrs = oracleSNS(d.Body, attrs)
	}
	d.Attrs, d.Foreign = pipeline.ParseAttrs(attrs)
	return d, string(o.text(r["eventSourceARN"]))
}

func (o *oracle) attributes(v any, typeName, valueName, otherName string) map[string]string {
	attrs := map[string]string{}
	for name, a := range o.object(v) {
		m := o.object(a)
		value, other, typ := o.text(m[valueName]), o.text(m[otherName]), string(o.text(m[typeName]))
		if value == nil {
			value = other
		}
		if typ != "" && typ != "String" {
			value = []byte("sqs-type=" + typ + ";" + string(value))
		}
		attrs[name] = string(value)
	}
	return attrs
}

func oracleSNS(body []byte, attrs map[string]string) ([]byte, map[string]string) {
	if len(body) == 0 || body[0] != '{' || !bytes.Contains(body, []byte(`"Notification"`)) {
		return body, attrs
	}
	tree, err := oracleTree(body)
	m, ok := tree.(object)
	if err != nil || !ok {
		return body, attrs
	}
	_, cloudEvent := m["specversion"]
	o := new(oracle)
	typ, topic, message := string(o.text(m["Type"])), string(o.text(m["TopicArn"])), o.text(m["Message"])
	inner := o.attributes(m["MessageAttributes"], "Type", "Value", "")
	if o.err != nil || cloudEvent || typ != "Notification" || topic == "" || message == nil {
		return body, attrs
	}
	return message, inner
}

func (o *oracle) http(m object) *HTTPRequest {
	str := func(name string) string { s, _ := m[name].(string); return s }
	context := o.object(m["requestContext"])
	h := o.object(context["http"])
	r := &HTTPRequest{
		Path: str("rawPath"), Query: str("rawQueryString"),
		Method: string(o.text(h["method"])), SourceIP: string(o.text(h["sourceIp"])),
		RequestID: string(o.text(context["requestId"])),
	}
	if ms, ok := context["timeEpoch"]; ok {
		r.Time = oracleTime(o.integer(ms, math.MinInt64, math.MaxInt64))
	}
	if headers, ok := m["headers"]; ok {
		r.Headers = map[string]string{}
		for name, v := range o.object(headers) {
			r.Headers[strings.ToLower(name)] = string(o.text(v))
		}
	}
	encoded := false
	switch v := m["isBase64Encoded"].(type) {
	case nil:
	case bool:
		encoded = v
	default:
		o.fail()
	}
	if encoded {
		r.Body = o.base64(m["body"])
	} else {
		r.Body = o.text(m["body"])
	}
	return r
}
