package store

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
)

var anyFilter = rapid.Custom(func(t *rapid.T) Filter {
	word := rapid.SampledFrom([]string{"", "a", "ab", "b", "com.github.*", "ü"})
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "none") {
			return time.Time{}
		}
		return time.UnixMilli(rapid.Int64Range(-1e13, 1e13).Draw(t, "ms"))
	})
	return Filter{
		Tenant: word.Draw(t, "tenant"), Subject: word.Draw(t, "subject"), User: word.Draw(t, "user"),
		Type: word.Draw(t, "type"), Source: word.Draw(t, "source"),
		Status: rapid.SampledFrom([]Status{"", Pending, Completed}).Draw(t, "status"),
		From:   moment.Draw(t, "from"), To: moment.Draw(t, "to"),
	}
})

var anyPosition = rapid.Custom(func(t *rapid.T) Position {
	return Position{
		Time: time.UnixMilli(rapid.Int64Range(-1e14, 1e14).Draw(t, "ms")).UTC(),
		Key:  event.Key{Source: rapid.String().Draw(t, "source"), ID: rapid.String().Draw(t, "id")},
	}
})

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, p := anyFilter.Draw(t, "filter"), anyPosition.Draw(t, "position")
		got, err := f.ParseCursor(f.Cursor(p))
		if err != nil || got != p {
			t.Fatalf("got %v, %v, want %v", got, err, p)
		}
	})
}

func TestCursorBelongsToItsFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, g := anyFilter.Draw(t, "filter"), anyFilter.Draw(t, "other")
		if f == g {
			t.Skip("the same filter")
		}
		if _, err := g.ParseCursor(f.Cursor(anyPosition.Draw(t, "position"))); !errors.Is(err, ErrBadCursor) {
			t.Fatalf("another filter's cursor: %v, want ErrBadCursor", err)
		}
	})
}

func TestDamagedCursor(t *testing.T) {
	f := Filter{Tenant: "a"}
	good := f.Cursor(Position{Time: time.UnixMilli(1), Key: event.Key{Source: "s", ID: "1"}})
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{"", "x", "!!!", good[:len(good)-1], good + "A", "AAAA" + good}
	for i := range raw {
		b := append([]byte(nil), raw...)
		b[i] ^= 0x40
		bad = append(bad, base64.RawURLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(raw[:i]))
	}
	for _, s := range bad {
		if _, err := f.ParseCursor(s); !errors.Is(err, ErrBadCursor) {
			t.Errorf("cursor %q: %v, want ErrBadCursor", s, err)
		}
	}
}

func TestPositionOrder(t *testing.T) {
	at := func(ms int64, source, id string) Position {
		return Position{Time: time.UnixMilli(ms), Key: event.Key{Source: source, ID: id}}
	}
	order := []Position{at(2, "a", "1"), at(1, "b", "1"), at(1, "a", "9"), at(1, "a", "10"), at(0, "z", "z")}
	for i, p := range order {
		for j, q := range order {
			if got := p.Compare(q); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("Compare(%v, %v) = %d", p, q, got)
			}
		}
	}
}
