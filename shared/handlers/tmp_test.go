package handlers
import ("testing";"encoding/json";"github.com/millrace-pipeline/millrace/shared/event")
func BenchmarkTmp(b *testing.B) {
	events := readSample(b, "flights/2013-01-01.ndjson.gz")
	e := events[0]
	b.Run("parse", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { event.Parse(e.JSON()) } })
	b.Run("set", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { e.Edit().Set("type", "x").Build() } })
	d := json.RawMessage(setMember(e.Data(), "delay_class", []byte(`"early"`)))
	b.Run("setdata", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { e.Edit().Set("type", "x").Data(d).Build() } })
	b.Run("setMember", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { setMember(e.Data(), "delay_class", []byte(`"early"`)) } })
	b.Run("member", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { member(e.Data(), "dep_delay") } })
	b.Run("memberNone", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { member(e.Data(), "none") } })
	b.Run("forward", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { Forward(e).Output(&e) } })
	st := e.Stamp(1)
	b.Run("forwardStamped", func(b *testing.B) { b.ReportAllocs(); for b.Loop() { Forward(st).Output(&st) } })
}
