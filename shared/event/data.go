package event

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// payload is Event.Bytes.
func payload(e *Event) []byte {
	switch {
	case e.base64.off != 0:
		s := e.raw[e.base64.off : e.base64.off+e.base64.n]
		if e.flags&base64Escaped != 0 {
			s = unescape(make([]byte, 0, len(s)), s)
		}
		out := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
		n, _ := base64.StdEncoding.Decode(out, s) // which isBase64 has foreseen
		return out[:n]
	case e.data.off != 0 && e.raw[e.data.off] == '"' && !isJSON(e.ContentType()):
		return plainText(e.Data())
	}
	return e.Data()
}

// isBase64 reports whether base64.StdEncoding decodes s.
func isBase64(s []byte) bool {
	if bytes.ContainsAny(s, "\r\n") { // which the decoder skips
		_, err := base64.StdEncoding.Decode(make([]byte, base64.StdEncoding.DecodedLen(len(s))), s)
		return err == nil
	}
	if len(s)%4 != 0 {
		return false
	}
	body := bytes.TrimSuffix(bytes.TrimSuffix(s, []byte("=")), []byte("="))
	return !slices.ContainsFunc(body, func(c byte) bool { return !base64Digits[c] })
}

var base64Digits = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = true
	}
	return t
}()
