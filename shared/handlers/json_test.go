package handlers

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// jsonValue draws JSON text with the white space, escapes and nesting that a producer
// may write.
func jsonValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 {
			kind %= 4
		}
		switch kind {
		case 0:
			return rapid.SampledFrom([]string{"0", "-1.5e3", "9007199254740993", "null", "true", "false"}).Draw(t, "scalar")
		case 1, 2, 3:
			return jsonString(t)
		case 4:
			elements := rapid.SliceOfN(jsonValue(depth-1), 0, 3).Draw(t, "elements")
			return "[" + space(t) + strings.Join(elements, space(t)+","+space(t)) + space(t) + "]"
		default:
			return jsonObject(t, depth)
		}
	})
}

func jsonObject(t *rapid.T, depth int) string {
	n := rapid.IntRange(0, 4).Draw(t, "members")
	parts := make([]string, n)
	for i := range parts {
		value := rapid.SampledFrom([]string{"1"}).Draw(t, "value")
		if depth > 0 {
			value = jsonValue(depth-1).Draw(t, "value")
		}
		parts[i] = jsonString(t) + space(t) + ":" + space(t) + value
	}
	return "{" + space(t) + strings.Join(parts, space(t)+","+space(t)) + space(t) + "}"
}

func jsonString(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		`"a"`, `"b"`, `"\u0061"`, `""`, `"\""`, `"\\"`, `"\\\""`, `"é"`, `"{"`, `"],"`, `"\ud83d\ude00"`, `"a longer string, with: signs"`,
	}).Draw(t, "string")
}

func space(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n"}).Draw(t, "space")
}

func TestMembersMatchesEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := []byte(jsonObject(t, 3))
		var want []string // name, compact value, …, as encoding/json reads them
		d := json.NewDecoder(bytes.NewReader(object))
		_, _ = d.Token()
		for d.More() {
			name, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
			want = append(want, name.(string), string(value))
		}
		var got []string
		for name, value := range members(object) {
			got = append(got, string(name), string(value))
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\ngot  %q\nwant %q", object, got, want)
		}
	})
}

func TestMembersOfNoObject(t *testing.T) {
	for _, s := range []string{"", " ", "null", "1", `"{}"`, "[]", `[{"a":1}]`} {
		for name := range members([]byte(s)) {
			t.Errorf("%q has a member %q", s, name)
		}
	}
}

func TestSetMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := []byte(jsonObject(t, 2))
		before := bytes.Clone(object)
		name := rapid.SampledFrom([]string{"a", "b", "new"}).Draw(t, "name")
		got := setMember(object, name, []byte(`{"set":1}`))
		if !bytes.Equal(object, before) {
			t.Fatalf("the original was written to: %s", object)
		}
		if !json.Valid(got) {
			t.Fatalf("%s became %s", object, got)
		}
		if v := string(member(got, name)); v != `{"set":1}` {
			t.Fatalf("%s: %q is %s in %s", object, name, v, got)
		}
		type pair struct{ name, value string }
		rest := func(b []byte) (ps []pair) {
			replaced := false
			for n, v := range members(b) {
				if string(n) == name && !replaced {
					replaced = true // the first of that name is the one that setMember sets
					continue
				}
				ps = append(ps, pair{string(n), string(v)})
			}
			return ps
		}
		if !reflect.DeepEqual(rest(got), rest(object)) {
			t.Fatalf("%s became %s", object, got)
		}
	})
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{`"x"`: "x", `"\u00e9\n"`: "é\n", `""`: ""} {
		if got, ok := text([]byte(in)); !ok || got != want {
			t.Errorf("text(%s) = %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "null", "1", `{"a":"x"}`} {
		if got, ok := text([]byte(in)); ok {
			t.Errorf("text(%s) = %q", in, got)
		}
	}
}
