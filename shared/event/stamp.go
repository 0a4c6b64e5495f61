package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	receivedLayout = "2006-01-02T15:04:05.000Z"
	stampMember    = `,"` + ReceivedName + `":"` + receivedLayout + `"}` // the time to be filled in
	stampTimeEnd   = len(receivedLayout + `"}`)                          // from its start to the end
)

// Stamp returns e with the extension receivedtime set: cheap, it copies the JSON once.
// The member is the last one, or stays where it is when e has it already. A time that
// RFC 3339 cannot say becomes the nearest that it can.
func (e *Event) Stamp(receivedMillis int64) Event {
	const first, last = -62167219200000, 253402300799999 // of the years 0 and 9999
	at := time.UnixMilli(min(max(receivedMillis, first), last)).UTC()
	if e.flags&receivedMember != 0 {
		stamped, err := e.Edit().Set(ReceivedName, at.Format(receivedLayout)).Build()
		if err != nil { // not of a valid event
			return *e
		}
		return stamped
	}
	out := make([]byte, 0, len(e.raw)-1+len(stampMember))
	out = append(append(out, e.raw[:len(e.raw)-1]...), stampMember...)
	stamped := *e // its spans are offsets: they hold in the copy too
	stamped.raw = out
	stamped.flags |= receivedMember
	stamped.named[nReceived] = span{uint32(len(out) - stampTimeEnd), uint32(len(receivedLayout))}
	putMillis(out[len(out)-stampTimeEnd:], at)
	return stamped
}

// putMillis writes at over the time that dst begins with: time.AppendFormat costs five
// times as much.
func putMillis(dst []byte, at time.Time) {
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	put2(dst[0:], year/100)
	put2(dst[2:], year%100)
	put2(dst[5:], int(month))
	put2(dst[8:], day)
	put2(dst[11:], hour)
	put2(dst[14:], minute)
	put2(dst[17:], second)
	millis := at.Nanosecond() / int(time.Millisecond)
	dst[20] = byte('0' + millis/100)
	put2(dst[21:], millis%100)
}

func put2(dst []byte, n int) { dst[0], dst[1] = byte('0'+n/10), byte('0'+n%10) }

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
