package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

var (
	keyed   = masker{key: []byte("0123456789abcdef0123456789abcdef")}
	keyless = masker{}
)

func patientEvent(t testing.TB, data string) event.Event {
	return parse(t, `{"specversion":"1.0","id":"p","source":"/clinic","type":"org.hl7.patient.admitted","subject":"M-1",`+
		`"partitionkey":"M-1","userid":"nurse","tenantid":"clinic","ward":"3 East","phone":"555","data":`+data+`}`)
}

func TestPatientMasked(t *testing.T) {
	e := patientEvent(t, `{ "MRN":"M-1", "patient" : {"birth_date":"1961-02-28","n\u0061me":{"given":["A","B"],"family":"C"},
		"phone":5550100,"email":null,"fax":"","active":true}, "class":"inpatient" , "note":"A called"}`)
	out := handle(t, keyed.handle, e)
	p := func(s string) string { return keyed.mask([]byte(s), pseudonym) }
	want := fmt.Sprintf(`{ "MRN":"%s", "patient" : {"birth_date":"%s","n\u0061me":{"given":["%s","%s"],"family":"%s"},
		"phone":"%s","email":null,"fax":"","active":true}, "class":"inpatient" , "note":"[removed]"}`,
		p("M-1"), p("1961-02-28"), p("A"), p("B"), p("C"), p("5550100"))
	if string(out.Data()) != want {
		t.Errorf("got  %s\nwant %s", out.Data(), want)
	}
	if out.Subject() != p("M-1") || out.PartitionKey() != p("M-1") {
		t.Errorf("subject %q and partition key %q must have the pseudonym of the record number, so that they join", out.Subject(), out.PartitionKey())
	}
	if phone, _ := out.Attr("phone"); phone != p("555") {
		t.Errorf("extension phone is %q", phone)
	}
	if ward, _ := out.Attr("ward"); ward != "3 East" || out.User() != "nurse" || out.Tenant() != "clinic" || out.Type() != e.Type() {
		t.Errorf("an attribute that is no identifier changed: %s", out.JSON())
	}
}

func TestPatientWithoutKey(t *testing.T) {
	out := handle(t, keyless.handle, patientEvent(t, `{"name":"A","class":"x"}`))
	if string(out.Data()) != `{"name":"[removed]","class":"x"}` || out.Subject() != "[removed]" {
		t.Errorf("got %s", out.JSON())
	}
}

func TestPatientUnchanged(t *testing.T) {
	for _, s := range []string{
		`{"specversion":"1.0","id":"p","source":"/clinic","type":"org.hl7.patient.merged"}`,
		`{"specversion":"1.0","id":"p","source":"/clinic","type":"org.hl7.patient.merged","data":null}`,
		` {"specversion":"1.0","id":"p","source":"/clinic","type":"org.hl7.patient.merged","data":{"class":"x","a":[]}} `,
	} {
		e := parse(t, s)
		if out := handle(t, keyed.handle, e); !bytes.Equal(out.JSON(), e.JSON()) {
			t.Errorf("%s became %s", s, out.JSON())
		}
	}
}

// What cannot be looked into is refused: HL7 v2 text and binary documents would leak.
func TestPatientRefused(t *testing.T) {
	const head = `{"specversion":"1.0","id":"p","source":"/clinic","type":"org.hl7.patient.admitted",`
	for _, s := range []string{
		head + `"datacontenttype":"x-application/hl7-v2+er7","data":"PID|1||M-1||Doe^Jane"}`,
		head + `"data":17}`,
		head + `"datacontenttype":"application/pdf","data_base64":"AAEC"}`,
		head + `"datacontenttype":"application/json","data_base64":"eyJuYW1lIjoiQSJ9"}`,
	} {
		_, err := keyed.handle(context.Background(), parse(t, s))
		if fault.ReasonOf(err) != fault.HandlerRejected {
			t.Errorf("%s: got %v, want a rejection", s, err)
		}
	}
}

// No identifier leaves the stage, however deep it stands and however its name is
// written; all other values stay; and a second pass, as in a replay, changes nothing.
func TestPatientNothingLeaks(t *testing.T) {
	names := slices.Sorted(maps.Keys(identifiers))
	secret := regexp.MustCompile(`secret-[a-z]+`)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]masker{keyed, keyless}).Draw(t, "masker")
		value := maskable(t, names, false, 4)
		data, err := json.Marshal(map[string]any{"root": value})
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Parse([]byte(`{"specversion":"1.0","id":"p","source":"/c","type":"org.hl7.patient.admitted","data":` + string(data) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		run := func(e event.Event) event.Event {
			r, err := m.handle(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := r.Output(&e)
			if err != nil {
				t.Fatal(err)
			}
			return out[0]
		}
		once := run(e)
		if s := secret.FindString(string(once.JSON())); s != "" {
			t.Fatalf("%s left in %s", s, once.JSON())
		}
		if before, after := strings.Count(string(data), "plain-value"), strings.Count(string(once.Data()), "plain-value"); before != after {
			t.Fatalf("%d of %d plain values left in %s", after, before, once.JSON())
		}
		if twice := run(once); !bytes.Equal(once.JSON(), twice.JSON()) {
			t.Fatalf("a second pass changed\n%s into\n%s", once.JSON(), twice.JSON())
		}
	})
}

// maskable draws a value in which strings below a name of the table are "secret-…" and
// all others "plain-value".
func maskable(t *rapid.T, names []string, below bool, depth int) any {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 0, 1:
		if below {
			return "secret-" + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "secret")
		}
		return "plain-value"
	case 2:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = maskable(t, names, below, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		if rapid.Bool().Draw(t, "identifier") {
			name := rapid.SampledFrom(names).Draw(t, "name")
			switch rapid.IntRange(0, 2).Draw(t, "spelling") {
			case 1:
				name = strings.ToUpper(name[:1]) + name[1:]
			case 2:
				name = name[:1] + "_" + name[1:]
			}
			object[name] = maskable(t, names, true, depth-1)
			continue
		}
		object[rapid.SampledFrom([]string{"class", "ward", "a\"b", "reason"}).Draw(t, "other")] = maskable(t, names, below, depth-1)
	}
	return object
}

func TestPatientSample(t *testing.T) {
	leaked := regexp.MustCompile(`(?i)testa|josé|example"|prueba|試験|見本|000-00-|555 01|T-000|nowhere|anytown|-02-28|-12-01|-06-30`)
	subjects := map[string]string{}
	for _, e := range readSample(t, "patients/2026-01-05.ndjson") {
		out := handle(t, keyed.handle, e)
		if s := leaked.FindString(string(out.Data())); s != "" {
			t.Errorf("%q left in %s", s, out.Data())
		}
		if out.User() == "" || out.User() != e.User() {
			t.Errorf("audit user is %q, was %q", out.User(), e.User())
		}
		if s := subjects[e.Subject()]; s != "" && s != out.Subject() {
			t.Errorf("one patient has two pseudonyms: %s, %s", s, out.Subject())
		}
		subjects[e.Subject()] = out.Subject()
	}
	if len(subjects) != 3 {
		t.Errorf("%d patients, want 3", len(subjects))
	}
}
