package pack_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/eventtest"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parse(t fataler, raw []byte) event.Event {
	t.Helper()
	e, err := event.Parse(raw)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return e
}

// withData is an event whose data is the given JSON.
func withData(t fataler, data string) event.Event {
	t.Helper()
	return parse(t, []byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","data":`+data+`}`))
}

// noise is n characters that no codec makes smaller.
func noise(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('#' + r.IntN('Z'-'#')) // no quote, no backslash
	}
	return string(b)
}

// checkPacks checks what Encode promises of its packs, and that Decode gives the events back.
func checkPacks(t fataler, events []event.Event, packs []pack.Pack, o pack.Options) {
	t.Helper()
	target := o.Target
	if target == 0 {
		target = pack.TargetBytes
	}
	next := 0
	for i, p := range packs {
		if p.First != next || p.End <= p.First {
			t.Fatalf("pack %d has events [%d, %d), want them from %d", i, p.First, p.End, next)
		}
		next = p.End
		single := p.End-p.First == 1
		if len(p.Body) > target && !single {
			t.Fatalf("pack %d of %d events has %d bytes, the target is %d", i, p.End-p.First, len(p.Body), target)
		}
		if !isSQSText(p.Body) {
			t.Fatalf("pack %d is not what SQS takes: %.100q", i, p.Body)
		}
		plain := p.Encoding == pack.Plain || p.Encoding == pack.Base64
		if want := contentType(single && plain); p.ContentType != want {
			t.Fatalf("pack %d, single %t, encoding %q, is of type %s", i, single, p.Encoding, p.ContentType)
		}
		items, err := pack.Decode(p.Body, p.ContentType, p.Encoding, limit)
		if err != nil || len(items) != p.End-p.First {
			t.Fatalf("pack %d: %v, %d events of %d", i, err, len(items), p.End-p.First)
		}
		raw := 0
		for k, it := range items {
			want := events[p.First+k].JSON()
			if it.Err != nil || !bytes.Equal(it.Event.JSON(), want) || !bytes.Equal(it.Raw, want) {
				t.Fatalf("event %d came back as %s, %v; want %s", p.First+k, it.Raw, it.Err, want)
			}
			raw += len(want) + 1
		}
		if raw+1 > pack.MaxRawBytes && !single {
			t.Fatalf("pack %d has %d bytes before compression", i, raw)
		}
	}
	if next != len(events) {
		t.Fatalf("packs hold %d of %d events", next, len(events))
	}
}

func contentType(single bool) string {
	if single {
		return event.ContentTypeJSON
	}
	return event.ContentTypeBatch
}

// isSQSText is the rule of the SQS API reference, SendMessage.
func isSQSText(b []byte) bool {
	for _, r := range string(b) {
		ok := r == 9 || r == 10 || r == 13 || 0x20 <= r && r <= 0xd7ff || 0xe000 <= r && r <= 0xfffd || r >= 0x10000
		if !ok {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}

var encodings = []string{pack.Plain, pack.S2, pack.Zstd}

func TestRoundTrip(t *testing.T) {
	pool := eventtest.JSON(5, 200, 900)
	rapid.Check(t, func(t *rapid.T) {
		var events []event.Event
		for range rapid.IntRange(0, 6).Draw(t, "runs") {
			n := rapid.IntRange(1, 200).Draw(t, "events")
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0: // usual
				for _, raw := range pool[:n] {
					events = append(events, parse(t, raw))
				}
			case 1: // not compressible
				events = append(events, withData(t, `"`+noise(uint64(n), n*40)+`"`))
			case 2: // compresses very well
				events = append(events, withData(t, `"`+strings.Repeat("x", n*5000)+`"`))
			case 3: // characters that SQS does not take, or not everyone
				for range n {
					events = append(events, withData(t, rapid.SampledFrom([]string{"\"\uffff\"", "\"\ufffe\"", "\"\x7f\"", "[\t\r\n]", `"😀"`, `"\u0000"`}).Draw(t, "data")))
				}
			}
		}
		o := pack.Options{Encoding: rapid.SampledFrom(encodings).Draw(t, "encoding"), Target: rapid.SampledFrom([]int{0, 0, 200, 5000, 240 << 10}).Draw(t, "target")}
		packs := pack.Encode(events, o)
		checkPacks(t, events, packs, o)

		again := pack.Encode(events, o)
		if len(again) != len(packs) {
			t.Fatalf("%d packs, then %d", len(packs), len(again))
		}
		for i := range packs {
			if !bytes.Equal(packs[i].Body, again[i].Body) || packs[i].Encoding != again[i].Encoding || packs[i].End != again[i].End {
				t.Fatalf("pack %d differs the second time", i)
			}
		}
	})
}

// Usual events fill packs nearly to the target, whatever the first guess of their ratio
// was. S2 may leave more room in the first: see tuneOf.
func TestFill(t *testing.T) {
	least := map[string]float64{pack.Plain: 0.9, pack.S2: 0.75, pack.Zstd: 0.92}
	for _, size := range []int{550, 1100, 4000} {
		var events []event.Event
		for _, raw := range eventtest.JSON(9, 1_500_000/size, size) {
			events = append(events, parse(t, raw))
		}
		for _, encoding := range encodings {
			packs := pack.Encode(events, pack.Options{Encoding: encoding})
			for i, p := range packs[:len(packs)-1] {
				if fill := float64(len(p.Body)) / pack.TargetBytes; fill < least[encoding] {
					t.Errorf("%q, %d bytes: pack %d is filled to %.2f", encoding, size, i, fill)
				}
			}
		}
	}
}

func TestSingleEvents(t *testing.T) {
	for name, c := range map[string]struct {
		data     string
		encoding string
	}{
		"small is plain":             {`{"a":1}`, pack.Plain},
		"not text":                   {"\"\uffff\"", pack.Base64},
		"not compressible":           {`"` + noise(1, 300<<10) + `"`, pack.Plain},
		"compresses well":            {`"` + strings.Repeat("x", 300<<10) + `"`, "codec"},
		"not text, compresses":       {`"` + strings.Repeat("x", 3000) + "\ufffe\"", "codec"},
		"larger than zstd's window":  {`"` + strings.Repeat("longer ", 10<<20/7) + `"`, "codec"},
		"larger, and no codec helps": {`"` + noise(2, 5<<20) + `"`, pack.Plain},
	} {
		for _, encoding := range []string{pack.S2, pack.Zstd} {
			if c.encoding == pack.Plain && encoding == pack.Zstd && strings.Contains(name, "no") {
				continue // zstd's entropy coding gains a little on 55 characters
			}
			t.Run(name+"/"+encoding, func(t *testing.T) {
				e := withData(t, c.data)
				packs := pack.Encode([]event.Event{e}, pack.Options{Encoding: encoding})
				checkPacks(t, []event.Event{e}, packs, pack.Options{})
				want := c.encoding
				if want == "codec" {
					want = encoding
				}
				if packs[0].Encoding != want {
					t.Errorf("encoding %q, want %q", packs[0].Encoding, want)
				}
				if want == pack.Plain && !bytes.Equal(packs[0].Body, e.JSON()) {
					t.Errorf("body %.200s", packs[0].Body)
				}
			})
		}
	}
}

// An oversized event goes alone, and its neighbours travel as if it were not there.
func TestOversizedAlone(t *testing.T) {
	small, big := withData(t, `1`), withData(t, `"`+noise(3, 100<<10)+`"`)
	events := []event.Event{small, small, big, small, big, big}
	for _, encoding := range encodings {
		packs := pack.Encode(events, pack.Options{Encoding: encoding})
		checkPacks(t, events, packs, pack.Options{})
		var spans []string
		for _, p := range packs {
			spans = append(spans, fmt.Sprint(p.First, "-", p.End))
		}
		if got := strings.Join(spans, " "); got != "0-2 2-3 3-4 4-5 5-6" {
			t.Errorf("%q: packs are %s", encoding, got)
		}
	}
}

// However well events compress, a receiver never has to allocate more than MaxRawBytes.
func TestRawIsBounded(t *testing.T) {
	events := make([]event.Event, 20)
	for i := range events {
		events[i] = withData(t, `"`+strings.Repeat("x", 300<<10)+`"`)
	}
	for _, encoding := range encodings {
		packs := pack.Encode(events, pack.Options{Encoding: encoding})
		checkPacks(t, events, packs, pack.Options{})
		for _, p := range packs {
			if _, err := pack.Decode(p.Body, p.ContentType, p.Encoding, pack.MaxRawBytes); err != nil {
				t.Errorf("%q: %v", encoding, err)
			}
		}
	}
}

func TestEncodeNothing(t *testing.T) {
	if packs := pack.Encode(nil, pack.Options{Encoding: pack.S2}); len(packs) != 0 {
		t.Errorf("%d packs of nothing", len(packs))
	}
}

func TestConcurrentUse(t *testing.T) {
	events, _ := sample(t, 500)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			o := pack.Options{Encoding: encodings[i%3]}
			part := events[i*50 : 500+i*50]
			checkPacks(panicker{}, part, pack.Encode(part, o), o)
		})
	}
	wg.Wait()
}

// panicker fails from any goroutine.
type panicker struct{}

func (panicker) Helper()                           {}
func (panicker) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func b64(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }

func zstdOf(tb testing.TB, b []byte, o ...zstd.EOption) []byte {
	tb.Helper()
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		tb.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

// zstdStream is zstd as a stream writes it, which does not say its size at the start.
func zstdStream(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	e, err := zstd.NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	e.Write(b)
	e.Flush()
	if err := e.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

const one = `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`

func TestDecodeRefuses(t *testing.T) {
	batch := []byte("[" + one + "]")
	bomb := []byte("[" + strings.Repeat(" ", 20<<20) + "]")
	cut := func(b []byte) []byte { return b[:len(b)-3] }
	flip := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
	for name, c := range map[string]struct {
		body                  []byte
		contentType, encoding string
		want                  fault.Reason
	}{
		"unknown encoding":        {batch, event.ContentTypeBatch, "gzip", fault.BadPack},
		"a claim":                 {batch, event.ContentTypeBatch, "claim", fault.BadPack},
		"unknown type":            {batch, "text/plain", pack.Plain, fault.UnsupportedContent},
		"other format":            {batch, "application/cloudevents+avro", pack.Plain, fault.UnsupportedContent},
		"empty":                   {nil, event.ContentTypeBatch, pack.Plain, fault.NotJSON},
		"empty, s2":               {nil, event.ContentTypeBatch, pack.S2, fault.BadPack},
		"empty, zstd":             {nil, event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"empty, base64":           {nil, event.ContentTypeBatch, pack.Base64, fault.NotJSON},
		"plain, not JSON":         {[]byte("hello"), "", pack.Plain, fault.NotJSON},
		"plain, not an event":     {[]byte("{}"), event.ContentTypeJSON, pack.Plain, fault.NotCloudEvent},
		"batch, no array":         {[]byte(one), event.ContentTypeBatch, pack.Plain, fault.NotCloudEvent},
		"event, an array":         {batch, event.ContentTypeJSON, pack.Plain, fault.NotCloudEvent},
		"base64, no base64":       {batch, event.ContentTypeBatch, pack.Base64, fault.BadPack},
		"s2, no base64":           {batch, event.ContentTypeBatch, pack.S2, fault.BadPack},
		"zstd, no base64":         {batch, event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"s2, no s2":               {b64([]byte("\xff\xff\xff\xff\xff\xff")), event.ContentTypeBatch, pack.S2, fault.BadPack},
		"zstd, no zstd":           {b64(batch), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"s2 for zstd":             {b64(s2.Encode(nil, batch)), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"zstd for s2":             {b64(zstdOf(t, batch)), event.ContentTypeBatch, pack.S2, fault.BadPack},
		"s2, cut off":             {b64(cut(s2.Encode(nil, batch))), event.ContentTypeBatch, pack.S2, fault.BadPack},
		"zstd, cut off":           {b64(cut(zstdOf(t, batch))), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"zstd, wrong checksum":    {b64(flip(zstdOf(t, batch))), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"zstd, size not said":     {b64(zstdStream(t, bytes.Repeat(batch, 9000))), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"zstd, a skippable frame": {b64([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00")), event.ContentTypeBatch, pack.Zstd, fault.BadPack},
		"s2 bomb":                 {b64(s2.Encode(nil, bomb)), event.ContentTypeBatch, pack.S2, fault.PackBomb},
		"zstd bomb":               {b64(zstdOf(t, bomb)), event.ContentTypeBatch, pack.Zstd, fault.PackBomb},
		"zstd bomb, second frame": {b64(append(zstdOf(t, batch, zstd.WithSingleSegment(true)), zstdOf(t, bomb)...)), event.ContentTypeBatch, pack.Zstd, fault.PackBomb},
		"s2 that lies":            {b64([]byte("\xff\xff\xff\xff\x0f\x00")), event.ContentTypeBatch, pack.S2, fault.PackBomb},
		"plain, too large":        {bomb, event.ContentTypeBatch, pack.Plain, fault.TooLarge},
		"base64, too large":       {b64(bomb), event.ContentTypeBatch, pack.Base64, fault.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			items, err := pack.Decode(c.body, c.contentType, c.encoding, limit)
			if err == nil || fault.ReasonOf(err) != c.want || fault.KindOf(err) != fault.Permanent {
				t.Errorf("got %v, want a failure of reason %s", err, c.want)
			}
			if items != nil {
				t.Errorf("and %d items", len(items))
			}
		})
	}
}

// A bomb is refused before it is allocated.
func TestBombAllocatesNothing(t *testing.T) {
	bomb := []byte("[" + strings.Repeat(" ", 64<<20) + "]")
	for encoding, body := range map[string][]byte{pack.S2: b64(s2.Encode(nil, bomb)), pack.Zstd: b64(zstdOf(t, bomb))} {
		pack.Decode(body, "", encoding, limit) // fills the pools
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := pack.Decode(body, "", encoding, limit)
		runtime.ReadMemStats(&after)
		if fault.ReasonOf(err) != fault.PackBomb {
			t.Errorf("%s: %v", encoding, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(body))+1<<20 {
			t.Errorf("%s: %d bytes allocated for a body of %d", encoding, n, len(body))
		}
	}
}

// A bad element of a foreign batch does not touch its neighbours.
func TestDecodeItems(t *testing.T) {
	batch := []byte(" [" + one + `,{"specversion":"1.0"}, ` + one + "]")
	for encoding, body := range map[string][]byte{
		pack.Plain: batch, pack.Base64: b64(batch), pack.S2: b64(s2.Encode(nil, batch)), pack.Zstd: b64(zstdOf(t, batch, zstd.WithSingleSegment(true))),
	} {
		for _, contentType := range []string{event.ContentTypeBatch, "Application/CloudEvents-Batch+JSON; charset=utf-8", ""} {
			items, err := pack.Decode(body, contentType, encoding, limit)
			if err != nil || len(items) != 3 {
				t.Fatalf("%q: %v, %d items", encoding, err, len(items))
			}
			if items[0].Err != nil || items[2].Err != nil || fault.ReasonOf(items[1].Err) != fault.MissingAttribute {
				t.Errorf("%q: %v, %v, %v", encoding, items[0].Err, items[1].Err, items[2].Err)
			}
		}
	}
}

func TestDecodeSingle(t *testing.T) {
	for _, contentType := range []string{event.ContentTypeJSON, event.ContentTypeJSON + "; charset=utf-8", ""} {
		for encoding, body := range map[string][]byte{pack.Plain: []byte(one), pack.Base64: b64([]byte(one)), pack.S2: b64(s2.Encode(nil, []byte(one)))} {
			items, err := pack.Decode(body, contentType, encoding, limit)
			if err != nil || len(items) != 1 || string(items[0].Event.JSON()) != one {
				t.Errorf("%q, %q: %v, %v", contentType, encoding, err, items)
			}
		}
	}
}
