package queue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// attributeNames is the rule of SQS as its guide writes it.
var attributeNames = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func wantAttributeName(name string) bool {
	lower := strings.ToLower(name)
	return len(name) <= 256 && attributeNames.MatchString(name) &&
		!strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}

func TestCheckAttributeNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "Z", "0", "_", "-", ".", "..", "aws", "AWS.", "Amazon.", "amazon", " ", "é", "\x00", "/", ":", "@", "[", "{", strings.Repeat("x", 250),
		}), 0, 6).Draw(t, "pieces"), "")
		err := Check(&Message{Body: []byte("x"), Attributes: map[string]string{name: "v"}})
		if (err == nil) != wantAttributeName(name) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("attribute %q: %v", name, err)
		}
	})
}

func TestCheck(t *testing.T) {
	many := func(n int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprintf("a%d", i)] = "v"
		}
		return m
	}
	body := func(n int) []byte { return []byte(strings.Repeat("x", n)) }
	attribute := map[string]string{"name": "value"}
	const counted = len("name" + "String" + "value")
	for _, c := range []struct {
		what string
		msg  Message
		want error
	}{
		{"a body", Message{Body: body(1)}, nil},
		{"the largest body", Message{Body: body(MaxMessageBytes)}, nil},
		{"a larger body", Message{Body: body(MaxMessageBytes + 1)}, ErrTooLarge},
		{"the largest with an attribute", Message{Body: body(MaxMessageBytes - counted), Attributes: attribute}, nil},
		{"larger by its attribute", Message{Body: body(MaxMessageBytes - counted + 1), Attributes: attribute}, ErrTooLarge},
		{"no body", Message{}, ErrInvalid},
		{"NUL", Message{Body: []byte("\x00")}, ErrInvalid},
		{"ten attributes", Message{Body: body(1), Attributes: many(MaxAttributes)}, nil},
		{"eleven attributes", Message{Body: body(1), Attributes: many(MaxAttributes + 1)}, ErrInvalid},
		{"an empty attribute", Message{Body: body(1), Attributes: map[string]string{"a": ""}}, ErrInvalid},
		{"NUL in an attribute", Message{Body: body(1), Attributes: map[string]string{"a": "\x00"}}, ErrInvalid},
		{"the longest delay", Message{Body: body(1), Delay: MaxDelay}, nil},
		{"a longer delay", Message{Body: body(1), Delay: MaxDelay + 1}, ErrInvalid},
		{"a negative delay", Message{Body: body(1), Delay: -1}, ErrInvalid},
	} {
		if err := Check(&c.msg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	c, err := CheckConfig("q", Config{})
	if want := (Config{Visibility: DefaultVisibility, Retention: DefaultRetention}); err != nil || c != want {
		t.Errorf("defaults: %+v, %v", c, err)
	}
	whole := Config{Visibility: MaxVisibility, Delay: MaxDelay, Retention: MaxRetention, DLQ: "d", MaxReceives: MaxMaxReceives}
	if c, err := CheckConfig(strings.Repeat("q", 80), whole); err != nil || c != whole {
		t.Errorf("the largest of everything: %+v, %v", c, err)
	}
	for what, c := range map[string]struct {
		name   string
		config Config
	}{
		"no name":                   {"", Config{}},
		"a long name":               {strings.Repeat("q", 81), Config{}},
		"a name with a period":      {"q.fifo", Config{}},
		"a negative visibility":     {"q", Config{Visibility: -1}},
		"a long visibility":         {"q", Config{Visibility: MaxVisibility + 1}},
		"a negative delay":          {"q", Config{Delay: -1}},
		"a long delay":              {"q", Config{Delay: MaxDelay + 1}},
		"a short retention":         {"q", Config{Retention: time.Second}},
		"a long retention":          {"q", Config{Retention: MaxRetention + 1}},
		"a DLQ without a limit":     {"q", Config{DLQ: "d"}},
		"a limit without a DLQ":     {"q", Config{MaxReceives: 1}},
		"a negative limit":          {"q", Config{DLQ: "d", MaxReceives: -1}},
		"a large limit":             {"q", Config{DLQ: "d", MaxReceives: MaxMaxReceives + 1}},
		"its own dead-letter queue": {"q", Config{DLQ: "q", MaxReceives: 1}},
	} {
		if _, err := CheckConfig(c.name, c.config); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

// FuzzCheck holds Check to the rules of SQS as its documentation writes them.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("body"), "name", "value", int64(0))
	f.Add([]byte("\xed\xa0\x80"), "a..b", "\ufffe", int64(-1))
	f.Add([]byte(""), "Amazon.x", "", int64(MaxDelay+1))
	f.Fuzz(func(t *testing.T, body []byte, name, value string, delay int64) {
		m := &Message{Body: body, Attributes: map[string]string{name: value}, Delay: time.Duration(delay)}
		err := Check(m)
		size := len(body) + len(name) + len("String") + len(value)
		switch {
		case m.Size() != size:
			t.Fatalf("size %d, want %d", m.Size(), size)
		case size > MaxMessageBytes:
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%d bytes: %v", size, err)
			}
		case isTextAsDocumented(body) && isTextAsDocumented([]byte(value)) && wantAttributeName(name) && delay >= 0 && delay <= int64(MaxDelay):
			if err != nil {
				t.Fatalf("%q %q=%q %d: %v", body, name, value, delay, err)
			}
		case !errors.Is(err, ErrInvalid):
			t.Fatalf("%q %q=%q %d: %v, want ErrInvalid", body, name, value, delay, err)
		}
	})
}
