package mongostore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parse(t tb, json string) event.Event {
	t.Helper()
	e, err := event.Parse([]byte(json))
	if err != nil {
		t.Fatalf("Parse(%.300s): %v", json, err)
	}
	return e
}

func parseAll(t tb, all [][]byte) []event.Event {
	t.Helper()
	out := make([]event.Event, len(all))
	for i, b := range all {
		out[i] = parse(t, string(b))
	}
	return out
}

var testStored = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

// documentOf makes the document of an event and checks that it gives the event back.
func documentOf(t tb, e event.Event) bson.Raw {
	t.Helper()
	var w documentWriter
	b, err := w.append(nil, &e, testStored, bson.ObjectID{1})
	if err != nil {
		t.Fatalf("document of %.300s: %v", e.JSON(), err)
	}
	doc := bson.Raw(b)
	if err := doc.Validate(); err != nil {
		t.Fatalf("document of %.300s: %v", e.JSON(), err)
	}
	back, err := parseDocument(doc)
	if err != nil || !bytes.Equal(back.event.JSON(), e.JSON()) || !back.stored.Equal(testStored) {
		t.Fatalf("%.300s\ncame back as %.300s, stored %v, %v\nfrom %v", e.JSON(), back.event.JSON(), back.stored, err, doc)
	}
	_, has := doc.LookupErr(fieldEdits)
	if exact := bytes.Equal(appendJSON(nil, doc[4:len(doc)-1]), e.JSON()); exact != (has != nil) {
		t.Fatalf("%.300s: compact %v, with edits %v", e.JSON(), exact, has == nil)
	}
	return doc
}

func withData(data string) string {
	return `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":` + data + `}`
}

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// spellings are events whose JSON says more than BSON keeps.
var spellings = []string{
	withData(`{"a":1,"b":[true,false,null,"x",{"c":{}},[]],"d":-0.5,"e":12345678901}`),
	`{"data":null,"type":"t","xext":true,"id":"1","yext":-7,"source":"/s","subject":null,"specversion":"1.0"}`,
	"{ \"specversion\" : \"1.0\",\n\t\"id\":\"1\" , \"source\":\"/s\",\"type\":\"t\",\"data\": [ 1 ,2, { } ,[ ] ] \r\n}",
	withData(`[1.0,1.10,-0,-0.0,0e0,1E2,1e+2,1e2,1e400,-1e400,1e99999,1e-400,0.1,1e21,1e-7,123456789.123]`),
	withData(`[2147483647,2147483648,-2147483648,-2147483649,9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809]`),
	withData(`[123456789012345678901234567890,1234567890123456789012345678901234567890,9999999999999999999999999999999999]`),
	withData(`"\"\\\/\b\f\n\r\t\u0000\u001f\u001F\u007f\u00e9é\ud83d\ude00😀\ud800\udc00\ud800x\udc00 \u2028\u002f\u0041"`),
	withData(`{"\u0061":1,"a\/b":2,"":3,"$set":{"$":1},"a.b":{"_id":2,"_t":3},"$ref":1,"ü":"ü"}`),
	withData(`{"a":1,"a":2}`),
	`{ "data" : {"a":1.0,"a":[ ] } , "specversion":"1.0","id":"1","source":"/s","type":"t"}`,
	`{"specversion":"1.0", "id":"1","source":"/s" , "data" :{ "a" : 1.0,"a":2} ,"type": "t"}`,
	withData(`{"a":{"b":1,"\u0062":2}}`),
	withData(`{"a\u0000b":1}`),
	withData(nested(99)), withData(nested(100)), withData(nested(512)),
	withData(`{"text":"` + strings.Repeat(`\"é`, 5000) + `"}`),
	`{"specversion":"1.0","id":"\u0069d","source":"/s","type":"t","data_base64":"AAH\/gP8="}`,
	`{"specversion":"1.0","id":"id","source":"/s","type":"t","data_base64":"AAH/gP8="}`,
	`{"specversion":"1.0","id":"id","source":"/s","type":"t","data_base64":"AA\r\nH/gP8="}`,
	`{"specversion":"1.0","id":"id","source":"/s","type":"t","data_base64":"AB=="}`,
	`{"specversion":"1.0","id":"id","source":"/s","type":"t","data_base64":""}`,
	`{"specversion":"1.0","id":"id","source":"/s","type":"t","data_base64":null,"time":"0001-01-02T00:00:00Z"}`,
}

func TestDocumentGivesTheEventBack(t *testing.T) {
	for _, s := range spellings {
		documentOf(t, parse(t, s))
	}
	for _, size := range []int{550, 1100} {
		for _, e := range parseAll(t, eventtest.JSON(3, 500, size)) {
			documentOf(t, e)
		}
	}
}

func FuzzData(f *testing.F) {
	for _, s := range spellings {
		e := parse(f, s)
		f.Add(e.Data())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := event.Parse([]byte(withData(string(data)))); err == nil {
			documentOf(t, e)
		}
	})
}

// TestDocumentSaysWhatTheEventSays draws JSON of any spelling: encoding/json must read the
// same from it and from the document's data.
func TestDocumentSaysWhatTheEventSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := anyJSON(4).Draw(t, "data")
		doc := documentOf(t, parse(t, withData(data)))
		got, err := doc.LookupErr("data")
		if err != nil {
			t.Skip("data that MongoDB cannot hold")
		}
		compact := appendValue(nil, bsoncore.Type(got.Type), got.Value)
		if a, b := decodeJSON(t, []byte(data)), decodeJSON(t, compact); !reflect.DeepEqual(a, b) {
			t.Fatalf("%s is in the document as %s", data, compact)
		}
	})
}

// decodeJSON reads a JSON value with numbers as exact fractions, rounded as a double is
// where it has a fraction or an exponent.
func decodeJSON(t tb, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return withNumbers(v)
}

func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, ok := new(big.Int).SetString(v.String(), 10); ok {
			return n.String()
		}
		f, _ := v.Float64()
		if n := big.NewFloat(f); n.IsInt() {
			i, _ := n.Int(nil)
			return i.String()
		}
		return fmt.Sprint(f)
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = withNumbers(v[k])
		}
	}
	return v
}

var (
	someSpace  = rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "  "})
	someNumber = rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,21})`),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})\.[0-9]{1,6}`),
		rapid.StringMatching(`-?[1-9](\.[0-9]{1,3})?[eE][+-]?[0-9]{1,2}`),
	)
	someChar = rapid.OneOf(
		rapid.StringMatching(`[a-z$._ é😀]`),
		rapid.SampledFrom([]string{`\"`, `\\`, `\/`, `\b`, `\n`, `\t`, `\u0000`, `\u001f`, `\u0041`, `\u00e9`, `\ud83d\ude00`, `\u2028`}),
	)
)

func someString(t *rapid.T) string {
	return `"` + strings.Join(rapid.SliceOfN(someChar, 0, 12).Draw(t, "chars"), "") + `"`
}

// anyJSON draws a JSON text of at most so many levels.
func anyJSON(levels int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := someSpace.Draw(t, "space")
		kinds := 4
		if levels > 0 {
			kinds = 6
		}
		switch rapid.IntRange(1, kinds).Draw(t, "kind") {
		case 1:
			return s + rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "literal") + s
		case 2:
			return s + someNumber.Draw(t, "number") + s
		case 3, 4:
			return s + someString(t) + s
		case 5:
			return s + "[" + s + strings.Join(rapid.SliceOfN(anyJSON(levels-1), 0, 4).Draw(t, "elements"), ",") + "]" + s
		default:
			members := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
				return s + someString(t) + s + ":" + anyJSON(levels-1).Draw(t, "value")
			}), 0, 40).Draw(t, "members")
			return s + "{" + strings.Join(members, ",") + s + "}" + s
		}
	})
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]any{
		"0": int32(0), "-1": int32(-1), "2147483647": int32(2147483647), "-2147483648": int32(-2147483648),
		"2147483648": int64(2147483648), "9223372036854775807": int64(9223372036854775807), "-9223372036854775808": int64(-9223372036854775808),
		"1.5": 1.5, "1.50": 1.5, "1e2": 100.0, "-0": 0.0, "1e-400": 0.0,
		"18446744073709551615": decimal(t, "18446744073709551615"), "-9223372036854775809": decimal(t, "-9223372036854775809"),
		"1e400": decimal(t, "1e400"), "1e99999": "1e99999",
		"12345678901234567890123456789012345": 12345678901234567890123456789012345.0,
	} {
		doc := documentOf(t, parse(t, withData(text)))
		var got struct {
			Data any `bson:"data"`
		}
		if err := bson.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		if got.Data != want {
			t.Errorf("%s is %T %v, want %T %v", text, got.Data, got.Data, want, want)
		}
	}
}

func decimal(t *testing.T, s string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestFields is the document as other clients see it.
func TestFields(t *testing.T) {
	doc := documentOf(t, parse(t, `{"specversion":"1.0","id":"1","source":"/s","type":"t","tenantid":7,"urgent":true,`+
		`"time":"2026-01-01T00:30:00.1234567+05:45","data":{"a.b":[1,{"$x":"é"}]},"receivedtime":"2026-01-01T00:00:01.000Z"}`))
	const want = `{"_id": "1\n/s","_t": {"$date":{"$numberLong":"1767206700123"}},"_stored": {"$date":{"$numberLong":"1772368200000"}},` +
		`"_b": {"$oid":"010000000000000000000000"},"specversion": "1.0","id": "1","source": "/s","type": "t",` +
		`"tenantid": {"$numberInt":"7"},"urgent": true,"time": "2026-01-01T00:30:00.1234567+05:45",` +
		`"data": {"a.b": [{"$numberInt":"1"},{"$x": "é"}]},"receivedtime": "2026-01-01T00:00:01.000Z"}`
	if got := doc.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestUnfitData: what MongoDB cannot hold is kept, but is no field.
func TestUnfitData(t *testing.T) {
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf(`"n%d":%d`, i, i)
	}
	many := strings.Join(names, ",")
	for data, fit := range map[string]bool{
		`{` + many + `}`:          true,
		`{` + many + `,"n3":1}`:   false,
		`{` + many + `,"n99":1}`:  false,
		`[{"a":1},{"a":1}]`:       true,
		`{"a":{"a":{"a":1}}}`:     true,
		`{"a":{"b":1},"a":1}`:     false,
		`{"b":{"a\u0000":1}}`:     false,
		`{"b":"a\u0000"}`:         true,
		nested(maxDepth - 1):      true,
		nested(maxDepth):          false,
		`[` + ints(2<<20) + `0]`:  false, // 4 MB of JSON, 27 MB of BSON
		`[` + ints(100_000) + `]`: true,
	} {
		data = strings.ReplaceAll(data, ",]", "]")
		doc := documentOf(t, parse(t, withData(data)))
		if _, err := doc.LookupErr("data"); (err == nil) != fit {
			t.Errorf("%.100s…: has the field data: %v, want %v", data, err == nil, fit)
		}
	}
}

func ints(n int) string { return strings.Repeat("1,", n) }

func TestTooLarge(t *testing.T) {
	var w documentWriter
	long := strings.Repeat("0123456789abcdef", maxDocument>>4)
	for _, s := range []string{withData(`"` + long + `"`), withData(`["` + long[:maxDocument-100] + `" ,1]`)} {
		e := parse(t, s)
		b, err := w.append([]byte("before"), &e, testStored, bson.ObjectID{})
		if fault.ReasonOf(err) != fault.StoreRejected || fault.KindOf(err) != fault.Permanent || string(b) != "before" {
			t.Errorf("an event of %d bytes: %v, and %d bytes", len(s), err, len(b))
		}
	}
	e := parse(t, withData(`"`+long[:maxDocument-400]+`"`))
	documentOf(t, e)
	// Its text and its fields together are too large: the field gives way.
	if _, err := documentOf(t, parse(t, withData(`"`+long[:9<<20]+`\/"`))).LookupErr("data"); err == nil {
		t.Error("the data is there twice")
	}
}

// TestChangedDocument: a document that another client has changed is what it says now.
func TestChangedDocument(t *testing.T) {
	for _, s := range []string{withData(`{"a":1,"b":2}`), withData(`{ "a":1, "b":2.50 }`), withData(`{"a":1,"a":2}`)} {
		doc := documentOf(t, parse(t, s))
		for _, typ := range []string{"u", "changed"} {
			changed, err := parseDocument(withField(t, doc, "type", typ))
			if err != nil || changed.event.Type() != typ {
				t.Errorf("%s changed: %s, %v", s, changed.event.JSON(), err)
			}
		}
		if d, err := parseDocument(withField(t, doc, "when", bson.DateTime(0))); err == nil {
			t.Errorf("a date as an attribute is %s", d.event.JSON())
		}
	}
}

// withField sets a field of a document, or adds it.
func withField(t *testing.T, doc bson.Raw, name string, value any) bson.Raw {
	t.Helper()
	var fields bson.D
	if err := bson.Unmarshal(doc, &fields); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(fields, func(e bson.E) bool { return e.Key == name })
	if i < 0 {
		i = len(fields)
		fields = append(fields, bson.E{Key: name})
	}
	fields[i].Value = value
	raw, err := bson.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestDamagedEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have, edits := rapid.SliceOf(rapid.Byte()).Draw(t, "have"), rapid.SliceOf(rapid.Byte()).Draw(t, "edits")
		if got := restore(have, edits); !bytes.Equal(got, have) {
			t.Skip("they fit")
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	for _, size := range []int{550, 1100} {
		events := parseAll(b, eventtest.JSON(1, 1000, size))
		var w documentWriter
		docs := make([][]byte, len(events))
		for i := range events {
			docs[i], _ = w.append(nil, &events[i], testStored, bson.ObjectID{})
		}
		b.Run(fmt.Sprintf("Append/%dB", size), func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				dst, _ = w.append(dst[:0], &events[i%len(events)], testStored, bson.ObjectID{})
			}
		})
		b.Run(fmt.Sprintf("Parse/%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := parseDocument(docs[i%len(docs)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
