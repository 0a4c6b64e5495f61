package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// A frame is a checksum (CRC-32C of what follows, 4 bytes) and an S2 block. SQLite has no
// checksums of its own: without one a damaged page of a blob would be read as events.

var errDamaged = errors.New("a blob is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const frameHeader = 4

func seal(raw []byte) []byte {
	b := make([]byte, frameHeader+s2.MaxEncodedLen(len(raw)))
	b = b[:frameHeader+len(s2.Encode(b[frameHeader:], raw))]
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[frameHeader:], castagnoli))
	return b
}

func unseal(frame []byte) ([]byte, error) {
	if len(frame) < frameHeader || binary.LittleEndian.Uint32(frame) != crc32.Checksum(frame[frameHeader:], castagnoli) {
		return nil, errDamaged
	}
	raw, err := s2.Decode(nil, frame[frameHeader:])
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	return raw, nil
}
