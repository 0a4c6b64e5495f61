package pack

import (
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/asm/base64"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// zstd's encoders and decoders are costly to make (tables of a few MB) and are used
// without goroutines of their own: one call is one pack.
var (
	zstdEncoders = sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithSingleSegment(true)) // else a frame below 256 bytes does not say its size
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	}}
	zstdDecoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return d
	}}
)

// compress returns src compressed, in dst's memory where that is large enough.
func compress(encoding string, dst, src []byte) []byte {
	if encoding == Zstd {
		e := zstdEncoders.Get().(*zstd.Encoder)
		defer zstdEncoders.Put(e)
		return e.EncodeAll(src, dst[:0])
	}
	return s2.Encode(dst[:cap(dst)], src)
}

// decompress refuses what says to be larger than limit before it allocates.
func decompress(encoding string, src []byte, limit int) ([]byte, error) {
	n, err := decompressedLen(encoding, src)
	switch {
	case err != nil:
		return nil, badPack(err, encoding)
	case n > uint64(max(limit, 0)):
		return nil, fault.New(fault.PackBomb, "%d bytes compressed to %d, the limit is %d", n, len(src), limit)
	}
	dst := make([]byte, 0, n)
	if encoding == Zstd {
		d := zstdDecoders.Get().(*zstd.Decoder)
		defer zstdDecoders.Put(d)
		dst, err = d.DecodeAll(src, dst)
	} else {
		dst, err = s2.Decode(dst, src)
	}
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, fault.New(fault.PackBomb, "it says %d bytes, but has more", n)
	case err != nil:
		return nil, badPack(err, encoding)
	}
	return dst, nil
}

var errNoSize = errors.New("the frame does not say its size")

// decompressedLen is the size that src itself says. Encode always writes it.
func decompressedLen(encoding string, src []byte) (uint64, error) {
	if encoding == S2 {
		n, err := s2.DecodedLen(src)
		return uint64(max(n, 0)), err
	}
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return 0, err
	}
	if !h.HasFCS || h.Skippable {
		return 0, errNoSize
	}
	return h.FrameContentSize, nil
}

// The vector code of segmentio/asm takes 0.3 µs off an event that is packed and
// unpacked, against encoding/base64 (46 and 30 µs off 60 KiB), to which it falls back by
// itself on processors without AVX2 or NEON. FuzzBase64 holds it to that library.

func base64Len(n int) int { return base64.StdEncoding.EncodedLen(n) }

func encodeBase64(b []byte) []byte {
	out := make([]byte, base64Len(len(b)))
	base64.StdEncoding.Encode(out, b)
	return out
}

// decodeBase64 appends to dst what b says.
func decodeBase64(dst, b []byte) ([]byte, error) {
	dst = slices.Grow(dst, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(dst[len(dst):cap(dst)], b)
	return dst[:len(dst)+n], err
}

func badPack(err error, encoding string) error {
	f := fault.New(fault.BadPack, "%s", encoding)
	f.Err = err
	return f
}
