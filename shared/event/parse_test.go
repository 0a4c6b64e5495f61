package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// head is a valid event without its last brace.
const head = `{"specversion":"1.0","id":"1","source":"/s","type":"t"`

// long is a string of n bytes.
func long(n int) string { return strings.Repeat("x", n) }

// nested is an array in an array … n deep.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestParseAccessors(t *testing.T) {
	const data = `{"a": [1, 2.5e3, true, null], "b":"\u00e9\n"}`
	in := "\n\t" + `{ "specversion" : "1.0", "id":"a\"1", "source":"https://x.example/ü", "type":"t.x",
		"subject":"caf\u00e9 \ud83d\ude00", "time":"2026-11-24T10:00:00.5+01:00", "datacontenttype":"application/json",
		"dataschema":"https://s.example/1", "tenantid":"acme", "partitionkey":"p/1", "traceparent":"00-ab-cd-01",
		"priority":7, "userid":"u", "receivedtime":"2026-11-24T09:00:01.250Z", "flag":true, "size":-12, "zero":-0, "none":null,
		"empty":"", "data":` + data + " }\r\n "
	e := mustParse(t, in)

	if got, want := string(e.JSON()), strings.Trim(in, " \r\n\t"); got != want {
		t.Errorf("JSON is %q, want what came in, trimmed", got)
	}
	want := view{
		Key: event.Key{Source: "https://x.example/ü", ID: `a"1`},
		ID:  `a"1`, Source: "https://x.example/ü", Type: "t.x", Subject: "café 😀", ContentType: "application/json",
		Schema: "https://s.example/1", Tenant: "acme", PartitionKey: "p/1", TraceParent: "00-ab-cd-01", User: "u", Priority: "7",
		Time: time.Date(2026, 11, 24, 9, 0, 0, 5e8, time.UTC), Received: time.Date(2026, 11, 24, 9, 0, 1, 25e7, time.UTC),
		Data: data, Bytes: data, HasData: true, HasBytes: true,
		Attributes: map[string]string{
			"specversion": "1.0", "id": `a"1`, "source": "https://x.example/ü", "type": "t.x", "subject": "café 😀",
			"time": "2026-11-24T10:00:00.5+01:00", "datacontenttype": "application/json", "dataschema": "https://s.example/1",
			"tenantid": "acme", "partitionkey": "p/1", "traceparent": "00-ab-cd-01", "priority": "7", "userid": "u",
			"receivedtime": "2026-11-24T09:00:01.250Z", "flag": "true", "size": "-12", "zero": "0", "empty": "",
		},
	}
	if d := cmp.Diff(want, viewOf(&e)); d != "" {
		t.Error(d)
	}
	for name, v := range want.Attributes {
		if got, ok := e.Attr(name); !ok || got != v {
			t.Errorf("Attr(%s) = %q, %t; want %q", name, got, ok, v)
		}
	}
	for _, name := range []string{"none", "nothere", "data", "data_base64", ""} {
		if v, ok := e.Attr(name); ok {
			t.Errorf("Attr(%s) = %q; want none", name, v)
		}
	}
}

func TestParseAbsent(t *testing.T) {
	e := mustParse(t, head+`,"subject":null,"time":null,"tenantid":null,"receivedtime":null,"data_base64":null}`)
	want := view{
		Key: event.Key{Source: "/s", ID: "1"}, ID: "1", Source: "/s", Type: "t",
		Attributes: map[string]string{"specversion": "1.0", "id": "1", "source": "/s", "type": "t"},
	}
	if d := cmp.Diff(want, viewOf(&e)); d != "" {
		t.Error(d)
	}
}

func TestPayload(t *testing.T) {
	each(t, map[string]struct{ members, data, payload string }{
		"json":              {`"data":{"a":1}`, `{"a":1}`, `{"a":1}`},
		"json string":       {`"data":"x\ny"`, `"x\ny"`, `"x\ny"`},
		"json null":         {`"data":null`, `null`, `null`},
		"suffix +json":      {`"data":"x","datacontenttype":"application/problem+JSON; charset=utf-8"`, `"x"`, `"x"`},
		"text":              {`"data":"<x a=\"1\"/>","datacontenttype":"application/xml"`, `"<x a=\"1\"/>"`, `<x a="1"/>`},
		"object as text":    {`"data":{"a":1},"datacontenttype":"text/plain"`, `{"a":1}`, `{"a":1}`},
		"base64":            {`"data_base64":"aGk+Pz8="`, "", "hi>??"},
		"base64, escaped":   {`"data_base64":"\/\/8="`, "", "\xff\xff"},
		"base64, wrapped":   {`"data_base64":"aGk\r\n+\nPz8="`, "", "hi>??"},
		"base64 of nothing": {`"data_base64":""`, "", ""},
	}, func(t *testing.T, c struct{ members, data, payload string }) {
		e := mustParse(t, head+","+c.members+"}")
		if string(e.Data()) != c.data {
			t.Errorf("Data is %q, want %q", e.Data(), c.data)
		}
		if got := e.Bytes(); string(got) != c.payload || got == nil {
			t.Errorf("Bytes are %q, want %q", got, c.payload)
		}
	})
}

// attr is a valid event with one more member.
func attr(member string) string { return head + "," + member + "}" }

type refusal struct {
	in   string
	want fault.Reason
}

var refusals = map[string]refusal{
	"nothing":                   {"", fault.NotJSON},
	"white space":               {" \n", fault.NotJSON},
	"text":                      {"hello", fault.NotJSON},
	"byte order mark":           {"\ufeff" + head + "}", fault.NotJSON},
	"cut off":                   {head, fault.NotJSON},
	"cut off in a string":       {head + `,"a":"b`, fault.NotJSON},
	"cut off in an escape":      {head + `,"a":"b\`, fault.NotJSON},
	"trailing garbage":          {head + "}x", fault.NotJSON},
	"two events":                {head + "}" + head + "}", fault.NotJSON},
	"trailing comma":            {head + ",}", fault.NotJSON},
	"no comma":                  {head + `"a":1}`, fault.NotJSON},
	"no colon":                  {attr(`"a"1`), fault.NotJSON},
	"name without quotes":       {attr(`a:1`), fault.NotJSON},
	"single quotes":             {attr(`'a':1`), fault.NotJSON},
	"comment":                   {head + "/* */}", fault.NotJSON},
	"NaN":                       {attr(`"data":NaN`), fault.NotJSON},
	"leading zero":              {attr(`"data":01`), fault.NotJSON},
	"bare minus":                {attr(`"data":-`), fault.NotJSON},
	"plus sign":                 {attr(`"data":+1`), fault.NotJSON},
	"no digit after the point":  {attr(`"data":1.`), fault.NotJSON},
	"no digit in the exponent":  {attr(`"data":1e+`), fault.NotJSON},
	"unknown literal":           {attr(`"data":nul`), fault.NotJSON},
	"unknown escape":            {attr(`"data":"\x"`), fault.NotJSON},
	"short escape":              {attr(`"data":"\u12g4"`), fault.NotJSON},
	"closed by the wrong kind":  {attr(`"data":[1}`), fault.NotJSON},
	"array with trailing comma": {attr(`"data":[1,]`), fault.NotJSON},
	"object without a value":    {attr(`"data":{"a":}`), fault.NotJSON},
	"object with a bare name":   {attr(`"data":{"a"}`), fault.NotJSON},
	"raw newline in data":       {attr("\"data\":\"a\nb\""), fault.NotJSON},
	"raw NUL in data":           {attr("\"data\":\"a\x00b\""), fault.NotJSON},
	"NUL between members":       {head + ",\x00\"a\":1}", fault.NotJSON},
	"bad rule, then bad JSON":   {`{"specversion":"0.3","id":1,`, fault.NotJSON},

	"array":               {"[]", fault.NotCloudEvent},
	"string":              {`"specversion"`, fault.NotCloudEvent},
	"null":                {"null", fault.NotCloudEvent},
	"empty object":        {"{}", fault.NotCloudEvent},
	"some other object":   {`{"user_name":"x","age":3.5}`, fault.NotCloudEvent},
	"wrong specversion":   {`{"specversion":"0.3","id":"1","source":"/s","type":"t"}`, fault.BadSpecVersion},
	"numeric specversion": {`{"specversion":1.0,"id":"1","source":"/s","type":"t"}`, fault.BadSpecVersion},

	"only a wrong id":  {`{"id":5}`, fault.BadAttribute},
	"only a null id":   {`{"id":null}`, fault.MissingAttribute},
	"no specversion":   {`{"id":"1","source":"/s","type":"t"}`, fault.MissingAttribute},
	"no id":            {`{"specversion":"1.0","source":"/s","type":"t"}`, fault.MissingAttribute},
	"id null":          {`{"specversion":"1.0","id":null,"source":"/s","type":"t"}`, fault.MissingAttribute},
	"id empty":         {`{"specversion":"1.0","id":"","source":"/s","type":"t"}`, fault.MissingAttribute},
	"no source":        {`{"specversion":"1.0","id":"1","type":"t"}`, fault.MissingAttribute},
	"source empty":     {`{"specversion":"1.0","id":"1","source":"","type":"t"}`, fault.MissingAttribute},
	"no type":          {`{"specversion":"1.0","id":"1","source":"/s"}`, fault.MissingAttribute},
	"id in upper case": {`{"specversion":"1.0","ID":"1","source":"/s","type":"t"}`, fault.BadAttribute},

	"id a number":          {`{"specversion":"1.0","id":1,"source":"/s","type":"t"}`, fault.BadAttribute},
	"subject a boolean":    {attr(`"subject":true`), fault.BadAttribute},
	"subject empty":        {attr(`"subject":""`), fault.BadAttribute},
	"source with a space":  {`{"specversion":"1.0","id":"1","source":"/s x","type":"t"}`, fault.BadAttribute},
	"schema with a space":  {attr(`"dataschema":"a b"`), fault.BadAttribute},
	"schema empty":         {attr(`"dataschema":""`), fault.BadAttribute},
	"extension an object":  {attr(`"a":{}`), fault.BadAttribute},
	"extension an array":   {attr(`"a":[]`), fault.BadAttribute},
	"fraction":             {attr(`"a":1.5`), fault.BadAttribute},
	"whole, with fraction": {attr(`"a":1.0`), fault.BadAttribute},
	"exponent":             {attr(`"a":1e2`), fault.BadAttribute},
	"beyond int32":         {attr(`"a":2147483648`), fault.BadAttribute},
	"below int32":          {attr(`"a":-2147483649`), fault.BadAttribute},
	"far beyond int32":     {attr(`"a":99999999999999999999999`), fault.BadAttribute},
	"upper-case name":      {attr(`"myAttr":1`), fault.BadAttribute},
	"name with underscore": {attr(`"my_attr":1`), fault.BadAttribute},
	"name beyond ASCII":    {attr(`"größe":1`), fault.BadAttribute},
	"name with an escape":  {attr(`"a\u0000":1`), fault.BadAttribute},
	"empty name":           {attr(`"":1`), fault.BadAttribute},
	"name of 65 bytes":     {attr(`"` + long(65) + `":1`), fault.BadAttribute},
	"name of half a pair":  {attr(`"\ud800":1`), fault.BadAttribute},

	"id twice":                 {attr(`"id":"1"`), fault.DuplicateAttribute},
	"id twice, once null":      {attr(`"id":null`), fault.DuplicateAttribute},
	"id twice, once escaped":   {attr(`"\u0069d":"2"`), fault.DuplicateAttribute},
	"extension twice":          {attr(`"a":1,"a":2`), fault.DuplicateAttribute},
	"data twice":               {attr(`"data":1,"data":1`), fault.DuplicateAttribute},
	"data_base64 twice":        {attr(`"data_base64":"","data_base64":""`), fault.DuplicateAttribute},
	"the 30th extension again": {attr(manyAttributes(30) + `,"x29":0`), fault.DuplicateAttribute},

	"id of 10 KB":        {`{"specversion":"1.0","id":"` + long(10<<10) + `","source":"/s","type":"t"}`, fault.AttributeTooLong},
	"id of 1,025 bytes":  {`{"specversion":"1.0","id":"` + long(1025) + `","source":"/s","type":"t"}`, fault.AttributeTooLong},
	"source too long":    {`{"specversion":"1.0","id":"1","source":"` + long(2049) + `","type":"t"}`, fault.AttributeTooLong},
	"extension too long": {attr(`"a":"` + long(8193) + `"`), fault.AttributeTooLong},
	"too long, escaped":  {attr(`"a":"` + strings.Repeat(`\u00e9`, 4097) + `"`), fault.AttributeTooLong},

	"raw NUL in id":           {`{"specversion":"1.0","id":"a` + "\x00" + `","source":"/s","type":"t"}`, fault.ControlCharacter},
	"escaped NUL in id":       {`{"specversion":"1.0","id":"a\u0000","source":"/s","type":"t"}`, fault.ControlCharacter},
	"raw tab":                 {attr("\"a\":\"\t\""), fault.ControlCharacter},
	"escaped tab":             {attr(`"a":"\t"`), fault.ControlCharacter},
	"DEL":                     {attr("\"a\":\"\x7f\""), fault.ControlCharacter},
	"last C1 control":         {attr("\"a\":\"\u009f\""), fault.ControlCharacter},
	"C1 control":              {attr("\"a\":\"\u0085\""), fault.ControlCharacter},
	"noncharacter":            {attr("\"a\":\"\ufdd0\""), fault.ControlCharacter},
	"noncharacter at the end": {attr(`"a":"\uffff"`), fault.ControlCharacter},
	"noncharacter, plane 1":   {attr("\"a\":\"\U0001fffe\""), fault.ControlCharacter},
	"high surrogate alone":    {attr(`"a":"\ud83d"`), fault.ControlCharacter},
	"low surrogate alone":     {attr(`"a":"\ude00"`), fault.ControlCharacter},
	"surrogates swapped":      {attr(`"a":"\ude00\ud83d"`), fault.ControlCharacter},
	"high surrogate, then no": {attr(`"a":"\ud83d\u0041"`), fault.ControlCharacter},

	"invalid UTF-8 in id":        {`{"specversion":"1.0","id":"a` + "\xff" + `","source":"/s","type":"t"}`, fault.InvalidUTF8},
	"invalid UTF-8 in a name":    {attr("\"a\xc3\":1"), fault.InvalidUTF8},
	"invalid UTF-8 in data":      {attr("\"data\":{\"a\":[\"\xc0\xaf\"]}"), fault.InvalidUTF8},
	"invalid UTF-8, data's name": {attr("\"data\":{\"\xed\xa0\x80\":1}"), fault.InvalidUTF8},
	"UTF-8 beyond Unicode":       {attr("\"data\":\"\xf4\x90\x80\x80\""), fault.InvalidUTF8},

	"time of day only":     {attr(`"time":"10:00:00Z"`), fault.InvalidTime},
	"time empty":           {attr(`"time":""`), fault.InvalidTime},
	"time without zone":    {attr(`"time":"2026-11-24T10:00:00"`), fault.InvalidTime},
	"time with a blank":    {attr(`"time":"2026-11-24 10:00:00Z"`), fault.InvalidTime},
	"30 February":          {attr(`"time":"2026-02-30T10:00:00Z"`), fault.InvalidTime},
	"29 February 1900":     {attr(`"time":"1900-02-29T10:00:00Z"`), fault.InvalidTime},
	"25 o'clock":           {attr(`"time":"2026-11-24T25:00:00Z"`), fault.InvalidTime},
	"zone of 24 hours":     {attr(`"time":"2026-11-24T10:00:00+24:00"`), fault.InvalidTime},
	"decimal comma":        {attr(`"time":"2026-11-24T10:00:00,5Z"`), fault.InvalidTime},
	"no fraction digit":    {attr(`"time":"2026-11-24T10:00:00.Z"`), fault.InvalidTime},
	"letters in the time":  {attr(`"time":"2026-1a-24T10:00:00Z"`), fault.InvalidTime},
	"time, then more":      {attr(`"time":"2026-11-24T10:00:00Z "`), fault.InvalidTime},
	"time as epoch number": {attr(`"time":1764000000`), fault.BadAttribute},

	"data and data_base64": {attr(`"data":null,"data_base64":""`), fault.InvalidData},
	"base64 a number":      {attr(`"data_base64":1`), fault.InvalidData},
	"base64 an object":     {attr(`"data_base64":{}`), fault.InvalidData},
	"base64 cut off":       {attr(`"data_base64":"aGk"`), fault.InvalidData},
	"base64url":            {attr(`"data_base64":"_-8="`), fault.InvalidData},
	"base64 padded early":  {attr(`"data_base64":"a=Gk"`), fault.InvalidData},
	"base64, only padding": {attr(`"data_base64":"===="`), fault.InvalidData},
	"base64 beyond ASCII":  {attr(`"data_base64":"aGé="`), fault.InvalidData},

	"513 arrays":    {attr(`"data":` + nested(513)), fault.TooDeep},
	"50,000 arrays": {attr(`"data":` + nested(50000)), fault.TooDeep},
	"in attribute":  {attr(`"a":` + nested(513)), fault.BadAttribute},
}

func TestParseRefuses(t *testing.T) {
	each(t, refusals, func(t *testing.T, c refusal) {
		_, err := event.Parse([]byte(c.in))
		assertReason(t, err, c.want)
		if valid := json.Valid([]byte(c.in)); valid && c.want == fault.NotJSON {
			t.Error("the case itself is wrong: this is JSON")
		}
	})
}

var accepted = map[string]string{
	"id of 1,024 bytes":        `{"specversion":"1.0","id":"` + long(1024) + `","source":"/s","type":"t"}`,
	"source of 2,048 bytes":    `{"specversion":"1.0","id":"1","source":"` + long(2048) + `","type":"t"}`,
	"extension of 8,192 bytes": attr(`"a":"` + long(8192) + `"`),
	"8,192 bytes, escaped":     attr(`"a":"` + strings.Repeat(`\u00e9`, 4096) + `"`),
	"name of 64 bytes":         attr(`"` + long(64) + `":1`),
	"many extensions":          attr(manyAttributes(300)),
	"int32":                    attr(`"a":2147483647,"b":-2147483648`),
	"512 arrays":               attr(`"data":` + nested(512)),
	"512 objects":              attr(`"data":` + strings.Repeat(`{"a":`, 512) + "1" + strings.Repeat("}", 512)),
	"noncharacter beside":      attr("\"a\":\"\ufffd\ufdcf\ufdf0\u00a0\U0001fffd\""),
	"lone surrogate in data":   attr(`"data":"\ud800"`),
	"noncharacter in data":     attr("\"data\":\"\uffff\x7f\""),
	"name twice in data":       attr(`"data":{"a":1,"a":2}`),
	"empty name in data":       attr(`"data":{"":1}`),
	"huge number in data":      attr(`"data":1e99999`),
	"IRI as source":            `{"specversion":"1.0","id":"1","source":"/ü?x={y}","type":"t"}`,
	"every escape":             attr(`"data":"\"\\\/\b\f\n\r\t\uD83D\uDE00"`),
}

func TestParseAcceptsAtTheLimit(t *testing.T) {
	each(t, accepted, func(t *testing.T, in string) { mustParse(t, in) })
}

// manyAttributes are n extensions, x0 and so on.
func manyAttributes(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"x%d":1`, i)
	}
	return strings.Join(all, ",")
}

func TestTime(t *testing.T) {
	for in, want := range map[string]time.Time{
		"2026-11-24T10:00:00Z":                   time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		"2026-11-24t10:00:00z":                   time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		"2024-02-29T23:59:59.123456789987-23:59": time.Date(2024, 3, 1, 23, 58, 59, 123456789, time.UTC),
		"2000-02-29T00:00:00.1+00:30":            time.Date(2000, 2, 28, 23, 30, 0, 1e8, time.UTC),
		"2016-12-31T23:59:60Z":                   time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
		"0000-01-01T00:00:00Z":                   time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.999999999Z":         time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		e := mustParse(t, attr(`"time":"`+in+`"`))
		if got := e.Time(); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func TestCheckSize(t *testing.T) {
	if err := event.CheckSize(10, 10); err != nil {
		t.Error(err)
	}
	if err := event.CheckSize(10, 0); err != nil {
		t.Error(err)
	}
	assertReason(t, event.CheckSize(11, 10), fault.TooLarge)
}
