package handlers

import (
	"bytes"
	"testing"

	"github.com/millrace-pipeline/millrace/shared/event"
)

func webhook(t testing.TB, data string) event.Event {
	return parse(t, `{"specversion":"1.0","id":"g","source":"https://github.com/o/r","type":"com.github.push","userid":"u","data":`+data+`}`)
}

func TestGitHub(t *testing.T) {
	for _, c := range []struct{ data, actor, repository string }{
		{`{"sender":{"id":1,"login":"ada"},"repository":{"name":"r","full_name":"o/r"}}`, "ada", "o/r"},
		{` { "repository" : { "full_name" : "o\/r" } , "sender" : { "login" : "\u0061da" } } `, "ada", "o/r"},
		{`{"sender":{"login":"ada"}}`, "ada", ""},
		{`{"sender":null,"repository":{"full_name":"o/r"}}`, "", "o/r"},
		{`{"issue":{"sender":{"login":"no"},"repository":{"full_name":"no"}}}`, "", ""},
		{`{"sender":{"login":7},"repository":"o/r"}`, "", ""},
		{`[]`, "", ""},
	} {
		e := webhook(t, c.data)
		out := handle(t, githubWebhook, e)
		actor, _ := out.Attr("actor")
		repository, _ := out.Attr("repository")
		if actor != c.actor || repository != c.repository {
			t.Errorf("%s: actor %q, repository %q", c.data, actor, repository)
		}
		if !bytes.Equal(out.Data(), e.Data()) || out.Type() != e.Type() || out.User() != "u" {
			t.Errorf("%s: more than the extensions changed: %s", c.data, out.JSON())
		}
	}
}

// Payload that is not JSON passes.
func TestGitHubBinary(t *testing.T) {
	e := parse(t, `{"specversion":"1.0","id":"g","source":"/g","type":"com.github.push","data_base64":"AAEC"}`)
	if out := handle(t, githubWebhook, e); !bytes.Equal(out.JSON(), e.JSON()) {
		t.Errorf("got %s", out.JSON())
	}
}

func TestGitHubSample(t *testing.T) {
	for _, e := range readSample(t, "github/webhooks.ndjson") {
		out := handle(t, githubWebhook, e)
		actor, _ := out.Attr("actor")
		if actor != e.User() { // the samples' user is the sender
			t.Errorf("%s: actor %q, want %q", e.ID(), actor, e.User())
		}
		repository, _ := out.Attr("repository")
		if want := e.Source()[len("https://github.com/"):]; repository != want {
			t.Errorf("%s: repository %q, want %q", e.ID(), repository, want)
		}
	}
}
