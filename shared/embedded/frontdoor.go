package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
)

// frontDoor is the function URL of ingest, with the two health checks.
type frontDoor struct {
	ingest  lambdaio.Handler
	timeout time.Duration
	maxBody int64
	ready   func(ctx context.Context) map[string]error // by the part's name
	log     *slog.Logger
	now     func() time.Time
}

func (f *frontDoor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/events", f.events)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", f.readyz)
	return mux
}

// events passes a request to ingest as a function URL does. A body that is too large is
// read one byte beyond the limit, so that ingest itself refuses it.
func (f *frontDoor) events(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, f.maxBody+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		body = body[:min(int64(len(body)), f.maxBody+1)]
	case err != nil: // the client went away
		return
	}
	id := uuid.NewString()
	ctx, cancel := context.WithTimeout(lambdaio.WithRequestID(r.Context(), id), f.timeout)
	defer cancel()
	answer, err := f.ingest(ctx, lambdaio.AppendHTTPEvent(nil, lambdaio.NewHTTPRequest(r, body, id, f.now())))
	if err != nil {
		f.log.Error("request failed", "request", id, "error", err)
		http.Error(w, "the request failed; send it again (request "+id+")", http.StatusBadGateway)
		return
	}
	res, err := lambdaio.ParseHTTPResponse(answer)
	if err != nil {
		f.log.Error("request failed", "request", id, "error", err)
		http.Error(w, "the request failed; send it again (request "+id+")", http.StatusBadGateway)
		return
	}
	for name, value := range res.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(res.Status)
	_, _ = w.Write(res.Body)
}

// readyz answers 200 when every part that an event needs can take it now, else 503 with
// the parts that cannot and why.
func (f *frontDoor) readyz(w http.ResponseWriter, r *http.Request) {
	parts := make(map[string]string)
	status := http.StatusOK
	for name, err := range f.ready(r.Context()) {
		parts[name] = "ok"
		if err != nil {
			parts[name] = err.Error()
			status = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(parts)
}
