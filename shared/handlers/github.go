package handlers

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// githubWebhook takes the actor (sender.login) and the repository
// (repository.full_name) out of a GitHub webhook's payload and adds them as the
// extensions "actor" and "repository", by which events can be routed and filtered
// without reading the payload. The payload keeps its bytes. Events of an organisation
// have no repository, and some of GitHub's own have no sender: then the extension is
// left out.
func githubWebhook(_ context.Context, e event.Event) (Result, error) {
	actor, hasActor := text(member(member(e.Data(), "sender"), "login"))
	repo, hasRepo := text(member(member(e.Data(), "repository"), "full_name"))
	if !hasActor && !hasRepo {
		return Forward(e), nil
	}
	b := e.Edit()
	if hasActor {
		b.Set("actor", actor)
	}
	if hasRepo {
		b.Set("repository", repo)
	}
	return Change(b)
}
