package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

// receivedLayout is how Stamp writes a time.
const receivedLayout = "2006-01-02T15:04:05.000Z"

// Stamp returns e with the extension receivedtime set: cheap, it copies the JSON once.
// The member is the last one, or stays where it is when e has it already. A time beyond
// the year 9999, which RFC 3339 cannot say, is cut to its end.
func (e *Event) Stamp(receivedMillis int64) Event {
	const first, last = -62167219200000, 253402300799999 // years 0 and 9999
	at := time.UnixMilli(min(max(receivedMillis, first), last)).UTC()
	if e.flags&receivedMember != 0 {
		stamped, err := e.Edit().Set(ReceivedName, at.Format(receivedLayout)).Build()
		if err != nil { // a valid event stays one
			panic("event: stamp: " + err.Error())
		}
		return stamped
	}
	const member = `,"` + ReceivedName + `":"`
	body := e.raw[:len(e.raw)-1]
	out := make([]byte, 0, len(e.raw)+len(member)+len(receivedLayout)+1)
	out = append(append(out, body...), member...)
	start := len(out)
	out = append(at.AppendFormat(out, receivedLayout), `"}`...)
	stamped := *e // its spans are offsets: they hold in the copy too
	stamped.raw = out
	stamped.named[nReceived] = span{uint32(start), uint32(len(receivedLayout))}
	stamped.flags |= receivedMember
	return stamped
}

// DeriveID returns the id of the n-th further event that a handler makes of e: the same
// whenever the handler is run again on the same event, and in the order of e's ids. It
// is "<id>/<n>"; where that would pass MaxIDBytes, the end of id gives way to its hash.
func (e *Event) DeriveID(n int) string {
	id, suffix := e.ID(), "/"+strconv.Itoa(n)
	if len(id)+len(suffix) <= MaxIDBytes {
		return id + suffix
	}
	sum := sha256.Sum256([]byte(id))
	suffix = "~" + hex.EncodeToString(sum[:16]) + suffix
	cut := MaxIDBytes - len(suffix)
	for !utf8.RuneStart(id[cut]) {
		cut--
	}
	return id[:cut] + suffix
}
