package mongostore

import (
	"strings"
	"testing"
	"time"
)

func TestDatabaseOf(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://h":                                "millrace",
		"mongodb://h/":                               "millrace",
		"mongodb://h/?replicaSet=rs0":                "millrace",
		"mongodb://h:1,i:2/events?replicaSet=rs0":    "events",
		"mongodb+srv://u:p%2Fq@h.example.com/events": "events",
		"mongodb://u:p@h/my%20db?a=b/c":              "my db",
		"mongodb://%2Ftmp%2Fmongodb-1.sock/events":   "events",
		"events": "millrace",
	} {
		if got := databaseOf(uri); got != want {
			t.Errorf("databaseOf(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestSecretsStayHidden(t *testing.T) {
	for _, uri := range []string{
		"mongodb://user:hunter2@",
		"mongodb://user:hunter2@h:notaport/",
		"mongodb://user:hunter2@h:1/?replicaSet",
		"mongodb://user:hunter2@h:1/?w=-1",
		"mongodb://user:hunter2@h:1/?ssl=maybe",
		"mongodb://user:hunter2@h:1/?authMechanism=hunter2",
		"mongodb://user:hun/ter2@h:1/",
		"mongodb://user:hun@ter2@h:1/",
		"mongodb://user:hun%ter2@h:1/",
		"mongodb://user:hun%zzter2@h:1/",
		"mongodb://user:hun:ter2@h:1/",
		"mongodb://:hunter2@h:1/",
		"http://user:hunter2@h:1/",
		"user:hunter2@h:1/",
		"mongodb://user:hunter%32@h:1/?compressors=x&tlsCAFile=/does/not/exist",
		"mongodb+srv://user:hunter2@no-such-host.invalid:1/",
	} {
		o := Options{URI: uri, ConnectTimeout: 10 * time.Millisecond}
		for name, err := range map[string]error{"Open": openErr(t, o), "Init": Init(t.Context(), o)} {
			if err == nil {
				t.Errorf("%s(%s): no error", name, uri)
				continue
			}
			text := err.Error()
			for _, secret := range []string{"hunter2", "ter2", "hunter%32", "hun"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s: the error shows the password: %s", name, text)
				}
			}
			if strings.Contains(text, "\n") {
				t.Errorf("%s: the error has several lines: %s", name, text)
			}
		}
	}
}

func openErr(t *testing.T, o Options) error {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
	}
	return err
}

func TestOptions(t *testing.T) {
	if _, err := (Options{}).withDefaults(); err == nil {
		t.Error("no connection string: no error")
	}
	o, err := Options{URI: "mongodb://h/x", Timeout: time.Hour}.withDefaults()
	if err != nil || o.Database != "x" || o.Timeout != maxTimeout || o.MaxConnections == 0 || o.ConnectTimeout == 0 || o.Aggregate("t") || o.Now().IsZero() {
		t.Errorf("defaults: %+v, %v", o, err)
	}
	if recoverAfter < 3*maxTimeout {
		t.Errorf("a batch is recovered after %v, while its insert may still run for %v", recoverAfter, maxTimeout)
	}
}
