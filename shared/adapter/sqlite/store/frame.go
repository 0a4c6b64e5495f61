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
	var f frames
	return f.seal(raw)
}

// frames makes frames in memory that it uses again after reset.
type frames struct {
	block []byte
	used  int // of block
	total int // bytes of frames since reset
	need  int // the most bytes that total and one frame in the making came to
}

func (f *frames) seal(raw []byte) []byte {
	most := frameHeader + s2.MaxEncodedLen(len(raw))
	f.need = max(f.need, f.total+most)
	if len(f.block)-f.used < most {
		f.block, f.used = make([]byte, max(most, f.need)), 0
	}
	b := f.block[f.used:]
	n := frameHeader + len(s2.Encode(b[frameHeader:], raw))
	f.used += n
	f.total += n
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[frameHeader:n], castagnoli))
	return b[:n:n]
}

// size is how much memory reset would keep.
func (f *frames) size() int { return max(len(f.block), f.need) }

// reset takes the memory of all frames back.
func (f *frames) reset() {
	if len(f.block) < f.need {
		f.block = make([]byte, f.need)
	}
	f.used, f.total = 0, 0
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
