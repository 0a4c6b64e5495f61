package mongostore

import (
	"encoding/binary"
	"hash/crc32"
)

// An event's JSON comes back byte for byte. Where it is not the compact JSON that
// appendJSON makes of the document (white space, "1.50", "\/", data that MongoDB cannot
// hold), the document has the difference in the field _edits:
//
//	for each place that differs: uvarint bytes of the compact JSON to keep, uvarint bytes
//	to drop, uvarint length of the text to put in, that text; the rest is kept
//	CRC-32C of the event's JSON, 4 bytes, little endian
//
// The checksum tells when another client has changed the document: then what it says now
// is the event, in compact form.

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEdit appends one edit.
func appendEdit(dst []byte, keep, drop int, put []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(keep))
	dst = binary.AppendUvarint(dst, uint64(drop))
	dst = binary.AppendUvarint(dst, uint64(len(put)))
	return append(dst, put...)
}

func appendChecksum(dst, json []byte) []byte {
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(json, castagnoli))
}

// applyEdits appends what edits (without their checksum) make of have; ok is false when
// they do not belong to it.
func applyEdits(dst, have, edits []byte) (out []byte, ok bool) {
	for len(edits) > 0 {
		var n [3]uint64
		for i := range n {
			v, size := binary.Uvarint(edits)
			if size <= 0 {
				return dst, false
			}
			n[i], edits = v, edits[size:]
		}
		keep, drop, put := n[0], n[1], n[2]
		if keep > uint64(len(have)) || drop > uint64(len(have))-keep || put > uint64(len(edits)) {
			return dst, false
		}
		dst = append(append(dst, have[:keep]...), edits[:put]...)
		have, edits = have[keep+drop:], edits[put:]
	}
	return append(dst, have...), true
}

// restore is the event's JSON, of its compact form and the field _edits. Edits that do
// not fit give the compact form.
func restore(have, edits []byte) []byte {
	n := len(edits) - checksumSize
	if n < 0 {
		return have
	}
	want, ok := applyEdits(make([]byte, 0, len(have)+n), have, edits[:n])
	if !ok || crc32.Checksum(want, castagnoli) != binary.LittleEndian.Uint32(edits[n:]) {
		return have
	}
	return want
}
