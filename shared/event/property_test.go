package event_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// kinds of events to draw.
const (
	anyEvent      = iota
	sdkCompatible // without what the SDK or HTTP cannot carry: unusual URIs, spaces, other scripts
)

// text draws a string of characters that attributes may have.
func text(kind int) *rapid.Generator[string] {
	if kind == sdkCompatible {
		return word()
	}
	return rapid.StringOfN(rapid.RuneFrom([]rune(`abc"\/{}[],:% é`), unicode.Latin, unicode.Han, unicode.So), 1, 12, -1)
}

// extensionName draws a name without a meaning of its own.
func extensionName() *rapid.Generator[string] {
	return rapid.StringMatching(`[a-z0-9]{1,20}`).Filter(func(s string) bool { return !reserved[s] })
}

var reserved = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true,
	"datacontenttype": true, "dataschema": true, "data": true, event.ReceivedName: true,
}

// drawEvent builds a valid event and checks that it says what it was built of.
func drawEvent(t *rapid.T, kind int) event.Event {
	source := strings.ReplaceAll(text(kind).Draw(t, "source"), " ", "")
	want := map[string]string{
		"specversion": "1.0", "id": text(kind).Draw(t, "id"), "source": "/" + source, "type": text(kind).Draw(t, "type"),
	}
	b := event.New(want["source"], want["id"], want["type"])
	set := func(name, v string) {
		b.Set(name, v)
		want[name] = v
	}
	for _, name := range []string{"subject", "tenantid", "partitionkey", "traceparent", "priority", "userid"} {
		if rapid.Bool().Draw(t, name) {
			set(name, text(kind).Draw(t, "value"))
		}
	}
	if rapid.Bool().Draw(t, "time") {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos"))
		at = at.In(time.FixedZone("", 60*rapid.IntRange(-700, 800).Draw(t, "zone")))
		b.Set("time", at)
		want["time"] = at.Format(time.RFC3339Nano)
	}
	for i, name := range rapid.SliceOfNDistinct(extensionName(), 0, 12, rapid.ID).Draw(t, "extensions") {
		if _, ok := want[name]; ok {
			continue
		}
		switch i % 4 {
		case 0:
			set(name, text(kind).Draw(t, "value"))
		case 1:
			n := rapid.Int32().Draw(t, "value")
			b.Set(name, n)
			want[name] = strconv.Itoa(int(n))
		case 2:
			b.Set(name, true)
			want[name] = "true"
		case 3:
			v := rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "value")
			b.Set(name, v)
			want[name] = base64.StdEncoding.EncodeToString(v)
		}
	}
	payload := drawData(t, kind, b, want)
	e := mustBuild(t, b)
	if got := attributes(&e); !maps.Equal(got, want) {
		t.Fatalf("attributes are %q, want %q", got, want)
	}
	if string(e.Bytes()) != payload {
		t.Fatalf("payload is %q, want %q", e.Bytes(), payload)
	}
	return e
}

func drawData(t *rapid.T, kind int, b *event.Builder, want map[string]string) (payload string) {
	switch rapid.IntRange(0, 3).Draw(t, "data") {
	case 1:
		raw := drawJSON(3, kind).Draw(t, "raw")
		b.Data(json.RawMessage(raw))
		want["datacontenttype"] = "application/json"
		return raw
	case 2:
		p := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes")
		b.Bytes("application/octet-stream", p)
		want["datacontenttype"] = "application/octet-stream"
		return string(p)
	case 3:
		s := text(kind).Draw(t, "text")
		b.Set("datacontenttype", "text/plain").Data(s)
		want["datacontenttype"] = "text/plain"
		return s
	}
	return ""
}

// drawJSON draws a JSON value of some depth, with white space and unusual spellings.
func drawJSON(depth, of int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := 7
		if depth > 0 {
			n = 9
		}
		switch rapid.IntRange(0, n).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "literal")
		case 1, 2:
			number := `-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,9})?`
			if of != sdkCompatible { // whose JSON library does not read every exponent
				number += `([eE][-+]?[0-9]{1,3})?`
			}
			return rapid.StringMatching(number).Draw(t, "number")
		case 3, 4, 5:
			return drawJSONString(t)
		case 8:
			return "[" + gap(t) + strings.Join(rapid.SliceOfN(drawJSON(depth-1, of), 0, 4).Draw(t, "array"), gap(t)+","+gap(t)) + "]"
		case 9:
			members := make([]string, rapid.IntRange(0, 4).Draw(t, "members"))
			for i := range members {
				members[i] = drawJSONString(t) + gap(t) + ":" + gap(t) + drawJSON(depth-1, of).Draw(t, "value")
			}
			return "{" + gap(t) + strings.Join(members, gap(t)+","+gap(t)) + gap(t) + "}"
		default:
			return `"` + strings.Repeat("plain text ", rapid.IntRange(0, 4).Draw(t, "times")) + `"`
		}
	})
}

func drawJSONString(t *rapid.T) string {
	return `"` + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "Z", " ", "é", "漢", "😀", `\n`, `\"`, `\\`, `\/`, `\u0000`, `\uD83D\uDE00`, `\ud800`, "\x7f", "\uffff", "{", "[", ",", ":", "longer than eight bytes",
	}), 0, 6).Draw(t, "string"), "") + `"`
}

func gap(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n"}).Draw(t, "gap")
}

func TestBuiltEventsParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t, anyEvent)
		assertSame(t, mustParse(t, gap(t)+string(e.JSON())+gap(t)), e)
		if !json.Valid(e.JSON()) {
			t.Fatalf("not JSON: %s", e.JSON())
		}
	})
}

// loosely writes e's members in another order, with white space, escapes and nulls.
func loosely(t *rapid.T, e event.Event) string {
	var members []string
	for name, v := range e.Attrs() {
		var q strings.Builder
		for _, r := range v {
			if r == '"' || r == '\\' || rapid.IntRange(0, 9).Draw(t, "escape") == 0 {
				for _, u := range utf16Of(r) {
					q.WriteString(`\u` + strconv.FormatInt(0x10000+int64(u), 16)[1:])
				}
			} else {
				q.WriteRune(r)
			}
		}
		members = append(members, `"`+name+`"`+gap(t)+":"+gap(t)+`"`+q.String()+`"`)
	}
	if d := e.Data(); d != nil {
		members = append(members, `"data":`+gap(t)+string(d))
	} else if p := e.Bytes(); p != nil {
		members = append(members, `"data_base64":"`+strings.ReplaceAll(base64.StdEncoding.EncodeToString(p), "/", `\/`)+`"`)
	}
	members = append(members, `"unsetextensionofours":null`)
	return "{" + gap(t) + strings.Join(rapid.Permutation(members).Draw(t, "order"), gap(t)+","+gap(t)) + gap(t) + "}"
}

func utf16Of(r rune) []rune {
	if r < 0x10000 {
		return []rune{r}
	}
	return []rune{0xd800 + (r-0x10000)>>10, 0xdc00 + (r-0x10000)&0x3ff}
}

// However an event is spelled, it says the same; and Stamp, Edit and a batch keep that.
func TestSpellingDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEvent(t, anyEvent)
		spelled := mustParse(t, loosely(t, want))
		if got := attributes(&spelled); !maps.Equal(got, attributes(&want)) {
			t.Fatalf("attributes of %s are %q, want %q", spelled.JSON(), got, attributes(&want))
		}
		if string(spelled.Bytes()) != string(want.Bytes()) {
			t.Fatalf("payload of %s is %q, want %q", spelled.JSON(), spelled.Bytes(), want.Bytes())
		}
		items, err := event.ParseBatch([]byte(gap(t) + "[" + gap(t) + string(want.JSON()) + gap(t) + "," + gap(t) + string(spelled.JSON()) + gap(t) + "]" + gap(t)))
		if err != nil || len(items) != 2 || items[0].Err != nil || items[1].Err != nil {
			t.Fatalf("as a batch: %v, %v", err, items)
		}
		assertSame(t, items[0].Event, want)
		assertSame(t, items[1].Event, spelled)
	})
}

func TestStampThenParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := mustParse(t, loosely(t, drawEvent(t, anyEvent)))
		before := string(e.JSON())
		ms := rapid.Int64Range(0, 4e12).Draw(t, "millis")
		once := e.Stamp(ms)
		assertSame(t, mustParse(t, string(once.JSON())), once)
		if got := once.Received().UnixMilli(); got != ms {
			t.Fatalf("stamped %d, received %d", ms, got)
		}
		if string(e.JSON()) != before || !e.Received().IsZero() {
			t.Fatalf("the original has changed: %s", e.JSON())
		}
		twice := once.Stamp(ms + 1)
		assertSame(t, mustParse(t, string(twice.JSON())), twice)
		if got := twice.Received().UnixMilli(); got != ms+1 {
			t.Fatalf("stamped %d, received %d", ms+1, got)
		}
		want := attributes(&e)
		want[event.ReceivedName] = twice.Received().Format("2006-01-02T15:04:05.000Z")
		if got := attributes(&twice); !maps.Equal(got, want) || string(twice.Bytes()) != string(e.Bytes()) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// What a handler did not touch stays as it was, byte for byte and in order.
func TestEditKeepsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := mustParse(t, loosely(t, drawEvent(t, anyEvent)))
		before := rawMembers(t, e.JSON())
		names := slices.Sorted(maps.Keys(attributes(&e)))
		change := rapid.SampledFrom(names).Draw(t, "change")
		b := e.Edit()
		switch change {
		case "specversion":
			b.Set(change, "1.0")
		case "time":
			b.Set(change, "2026-11-24T00:00:00Z")
		default:
			b.Set(change, "changed")
		}
		withData := rapid.Bool().Draw(t, "change data")
		if withData {
			b.Data(map[string]int{"n": 1})
		}
		got := mustBuild(t, b)
		after := rawMembers(t, got.JSON())
		touched := func(m [2]string) bool {
			return m[0] == change || withData && (strings.HasPrefix(m[0], "data") && m[0] != "dataschema")
		}
		if a, b := slices.DeleteFunc(before, touched), slices.DeleteFunc(after, touched); !slices.Equal(a, b) {
			t.Fatalf("the rest has changed:\n%q\n%q", a, b)
		}
		if withData && string(got.Data()) != `{"n":1}` {
			t.Fatalf("data is %s", got.Data())
		}
	})
}

// rawMembers are the members of a JSON object in order, as encoding/json sees them.
func rawMembers(t fataler, object []byte) (members [][2]string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%v", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatalf("%v", err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v", err)
		}
		members = append(members, [2]string{name.(string), string(v)})
	}
	return members
}

func TestDeriveID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(text(anyEvent), 2, 2).Draw(t, "ids")
		for i := range ids {
			if rapid.Bool().Draw(t, "long") {
				ids[i] = strings.Repeat(ids[i], 1+event.MaxIDBytes/len(ids[i]))
				for len(ids[i]) > event.MaxIDBytes || !utf8.ValidString(ids[i]) {
					ids[i] = ids[i][:len(ids[i])-1]
				}
			}
		}
		seen := map[string]bool{}
		for _, id := range ids {
			e := mustBuild(t, event.New("/s", id, "t"))
			for _, n := range []int{0, 1, 12, 123456} {
				derived := e.DeriveID(n)
				if derived != e.DeriveID(n) || derived == id {
					t.Fatalf("derived %q of %q", derived, id)
				}
				if ids[0] != ids[1] && seen[derived] {
					t.Fatalf("%q was derived twice", derived)
				}
				seen[derived] = true
				mustBuild(t, event.New("/s", derived, "t"))
				if len(id) < 1000 && derived != id+"/"+strconv.Itoa(n) {
					t.Fatalf("derived %q of %q", derived, id)
				}
			}
		}
	})
}
