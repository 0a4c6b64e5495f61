package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"

	samples "github.com/millrace-pipeline/millrace/events-samples"
)

// Flights are templates of the 842 real flights of 1 January 2013, about 0.55 KB each,
// which go through a handler.
func Flights() ([][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(samples.Flights))
	if err != nil {
		return nil, err
	}
	var out [][]byte
	s := bufio.NewScanner(z)
	for s.Scan() {
		t, err := Template(s.Bytes())
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, s.Err()
}

// orderTemplates is how many different orders there are.
const orderTemplates = 500

var goods = []string{"axle", "bucket", "chain", "dressing stone", "flour sack", "gear", "hopper", "millstone", "paddle", "sieve", "sluice", "spindle"}

// Orders are templates of invented orders of about the given size in bytes (400 at
// least), the same for the same size. They have no handler and pass unchanged.
func Orders(size int) [][]byte {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	out := make([][]byte, orderTemplates)
	for i := range out {
		b := append([]byte(`{"specversion":"1.0",`), idPlace...)
		b = fmt.Appendf(b, `,"source":"/shops/%d","type":"com.example.order.placed","subject":"customer-%d","time":"2026-11-%02dT%02d:%02d:%02d.%03dZ",`+
			`"tenantid":"shop-%d","datacontenttype":"application/json","data":{"order":%d,"currency":"EUR","items":[`,
			i%20, r.IntN(50_000), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000), i%20, r.IntN(1e9))
		for n := 0; n == 0 || len(b) < size-90; n++ {
			if n > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"sku":"%08x","name":%q,"count":%d,"price":%d.%02d}`, r.Uint32(), goods[r.IntN(len(goods))], 1+r.IntN(9), r.IntN(500), r.IntN(100))
		}
		out[i] = append(b, `]}}`...)
	}
	return out
}
