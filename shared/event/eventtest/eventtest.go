// Package eventtest makes realistic events for tests and benchmarks. It imports nothing
// of the module, so that package event's own tests can use it.
package eventtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

var (
	given  = []string{"Amara", "Bela", "Chidi", "Dara", "Elif", "Farid", "Greta", "Hana", "Imre", "Jonas", "Kemal", "Mina", "Nadia", "Oskar", "Petra", "Rosa", "Sven", "Tomas", "Vera", "Zoltan"}
	family = []string{"Okafor", "Kovacs", "Novak", "Haddad", "Larsen", "Meyer", "Silva", "Tanaka", "Ivanov", "Nagy", "Brown", "Garcia", "Nguyen", "Patel", "Rossi", "Dubois", "Weber", "Costa"}
	cities = []string{"Leeds", "Gyor", "Porto", "Malmo", "Gdansk", "Turin", "Ghent", "Bern"}
	words  = strings.Fields("follow up visit scheduled with provider for blood pressure review patient reported mild symptoms since last week prescribed course and advised rest hydration return if worse insurance verified copay collected online portal")
	types  = []string{"patient.created", "patient.updated", "appointment.booked", "appointment.cancelled", "order.placed", "order.shipped", "payment.captured", "payment.refunded"}
)

// JSON returns n events in the JSON format of about size bytes each (550 at least), the
// same for the same seed. Their ids are in ascending order, like UUIDv7.
func JSON(seed uint64, n, size int) [][]byte {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	out := make([][]byte, n)
	for i := range out {
		out[i] = g.event(i, size)
	}
	return out
}

type generator struct{ *rand.Rand }

func (g generator) event(i, size int) []byte {
	typ, tenant := pick(g, types), 1+g.IntN(200)
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(time.Duration(g.IntN(1800_000)) * time.Millisecond)
	b := fmt.Appendf(nil, `{"specversion":"1.0","id":"%012x-%s","source":"/tenants/t-%d/prm","type":"com.millrace.%s.v1","subject":"%c-%s",`+
		`"time":"%s","tenantid":"t-%[3]d","dataschema":"https://schemas.example.com/%[4]s/1","datacontenttype":"application/json","data":{`,
		i, g.hex(20), tenant, typ, typ[0], g.hex(12), at.Format("2006-01-02T15:04:05.000Z"))
	b = g.data(b, typ)
	if size-len(b) > 160 {
		b = fmt.Appendf(b, `,"address":{"line":"%d Station Rd","city":"%s","zip":"%05d","country":"HU"},"contact":{"email":"%s.%s%d@example.org","phone":"+36%09d"}`,
			1+g.IntN(200), pick(g, cities), g.IntN(99999), pick(g, given), pick(g, family), g.IntN(1000), g.IntN(1e9))
	}
	for k := 0; size-len(b) > 150 && k < 5; k++ {
		b = fmt.Appendf(b, `,"obs%d":[{"code":"%d-%d","value":%d.%d,"unit":"mmol/L"},{"code":"%d-%d","value":%d.%d,"unit":"mg"}]`,
			k, g.IntN(90000), g.IntN(9), g.IntN(200), g.IntN(10), g.IntN(90000), g.IntN(9), g.IntN(200), g.IntN(10))
	}
	b = append(append(b, `,"note":"`...), pick(g, words)...)
	for len(b)+3 < size {
		b = append(append(b, ' '), pick(g, words)...)
	}
	return append(b, `"}}`...)
}

func (g generator) data(b []byte, typ string) []byte {
	switch kind, _, _ := strings.Cut(typ, "."); kind {
	case "patient":
		return fmt.Appendf(b, `"patientId":"%s","name":{"given":"%s","family":"%s"},"birthDate":"19%02d-%02d-%02d","active":%t,"version":%d`,
			g.hex(32), pick(g, given), pick(g, family), 30+g.IntN(70), 1+g.IntN(12), 1+g.IntN(28), g.IntN(2) == 0, g.IntN(40))
	case "appointment":
		return fmt.Appendf(b, `"appointmentId":"%s","providerId":"prov-%04d","slot":{"start":"2026-12-%02dT%02d:%02d:00Z","minutes":%d},"facility":"fac-%d"`,
			g.hex(32), g.IntN(3000), 1+g.IntN(28), 8+g.IntN(9), 15*g.IntN(4), 15+15*g.IntN(3), g.IntN(40))
	case "order":
		return fmt.Appendf(b, `"orderId":"%s","customerId":"c-%06d","currency":"EUR","total":%d.%02d,"lines":[{"sku":"SKU-%05d","qty":%d}]`,
			g.hex(32), g.IntN(500000), g.IntN(900), g.IntN(100), g.IntN(99999), 1+g.IntN(9))
	default:
		return fmt.Appendf(b, `"paymentId":"%s","orderId":"o-%08d","amount":%d.%02d,"currency":"USD","method":{"kind":"card","last4":"%04d"}`,
			g.hex(32), g.IntN(1e8), g.IntN(2000), g.IntN(100), g.IntN(10000))
	}
}

func (g generator) hex(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte("0123456789abcdef"[g.IntN(16)])
	}
	return b.String()
}

func pick(g generator, s []string) string { return s[g.IntN(len(s))] }
