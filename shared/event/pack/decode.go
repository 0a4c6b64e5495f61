package pack

import (
	"bytes"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Decode is the inverse of Encode. limit is the most bytes the decompressed body may
// have: more is refused before it is allocated (fault.PackBomb; fault.TooLarge where
// nothing is compressed). Each element of a batch is checked by itself; err concerns the
// whole body (fault.BadPack, NotJSON, UnsupportedContent …, and what is wrong with a
// single event). Without a content type a JSON array is a batch, anything else one
// event. The events are views of body or of one buffer made from it.
func Decode(body []byte, contentType, encoding string, limit int) (items []event.Item, err error) {
	raw, err := open(body, encoding, limit)
	if err != nil {
		return nil, err
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	switch {
	case strings.EqualFold(media, event.ContentTypeBatch), media == "" && isArray(raw):
		return event.ParseBatch(raw)
	case strings.EqualFold(media, event.ContentTypeJSON), media == "":
		e, err := event.Parse(raw)
		if err != nil {
			return nil, err
		}
		return []event.Item{{Event: e, Raw: e.JSON()}}, nil
	}
	return nil, fault.New(fault.UnsupportedContent, "%.60q", contentType)
}

// open returns the JSON in body.
func open(body []byte, encoding string, limit int) ([]byte, error) {
	switch encoding {
	case Plain:
		return body, event.CheckSize(len(body), limit)
	case Base64, S2, Zstd:
	default:
		return nil, fault.New(fault.BadPack, "encoding %.40q is not known", encoding)
	}
	if encoding == Base64 {
		raw, err := decodeBase64(nil, body)
		if err != nil {
			return nil, badPack(err, encoding)
		}
		return raw, event.CheckSize(len(raw), limit)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	packed, err := decodeBase64(s.packed[:0], body)
	if err != nil {
		return nil, badPack(err, encoding)
	}
	s.packed = packed
	return decompress(encoding, packed, limit)
}

func isArray(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '['
}
