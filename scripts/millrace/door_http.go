package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

// httpDoor sends with POST: checked events as JSON batches, unchecked lines one by one,
// so that a bad one spoils no other.
type httpDoor struct {
	url    string
	client *http.Client
	pause  time.Duration // after the first failure; it doubles with each
	// answered: until the server has, a failure to reach it is no passing one.
	answered bool
}

// httpTries is how often a request is tried that was not accepted for a passing reason.
const httpTries = 5

// newHTTPDoor sends to a URL. Requests to a Lambda function URL are signed with the
// credentials of the environment: it lets nobody else in.
func newHTTPDoor(ctx context.Context, e env, u *url.URL) (door, error) {
	if u.Path == "" || u.Path == "/" {
		u = u.JoinPath("events")
	}
	d := &httpDoor{url: u.String(), client: &http.Client{Timeout: time.Minute}, pause: time.Second}
	if region, ok := awsio.FunctionURLRegion(u.Hostname()); ok {
		cfg, err := awsio.Load(ctx)
		if err != nil {
			return door{}, err
		}
		cfg.Region = region
		if err := awsio.CheckAccess(ctx, cfg); err != nil {
			return door{}, err
		}
		d.client.Transport = &awsio.Signed{Config: cfg, Region: region, Base: http.DefaultTransport, Now: e.now}
	}
	return door{Door: d, where: d.url, close: d.client.CloseIdleConnections}, nil
}

// Send implements ops.Door. The endpoint takes a request whole or not at all, so after
// it refused some events the others are sent again without them.
func (d *httpDoor) Send(ctx context.Context, batch []ops.Line) []error {
	errs := make([]error, len(batch))
	todo := make([]int, len(batch))
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		n := len(todo)
		if !batch[0].Checked {
			n = 1
		}
		refused, err := d.post(ctx, batch, todo[:n])
		switch {
		case err != nil:
			for _, i := range todo {
				errs[i] = err
			}
			return errs
		case len(refused) == 0:
			todo = todo[n:]
			continue
		}
		var again []int
		for k, i := range todo {
			if errs[i] = refused[k]; errs[i] == nil {
				again = append(again, i)
			}
		}
		todo = again
	}
	return errs
}

// post sends the lines that which names. refused are the endpoint's reasons by their
// place in which.
func (d *httpDoor) post(ctx context.Context, batch []ops.Line, which []int) (refused map[int]error, err error) {
	body, contentType := httpBody(batch, which)
	for try := 1; ; try++ {
		status, answer, err := d.try(ctx, body, contentType)
		switch {
		case err == nil && status/100 == 2:
			return nil, nil
		case err == nil && status/100 == 4 && status != http.StatusTooManyRequests:
			return refusals(status, answer, len(which))
		case err == nil:
			err = fmt.Errorf("%s answers %d %s: %s", d.url, status, http.StatusText(status), brief(answer))
		}
		if try == httpTries || ctx.Err() != nil || !d.answered {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(d.pause << (try - 1)):
		}
	}
}

func (d *httpDoor) try(ctx context.Context, body []byte, contentType string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("content-type", contentType)
	res, err := d.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	d.answered = true
	answer, err = io.ReadAll(io.LimitReader(res.Body, 16<<20))
	return res.StatusCode, answer, err
}

func httpBody(batch []ops.Line, which []int) (body []byte, contentType string) {
	if len(which) == 1 {
		return batch[which[0]].Raw, event.ContentTypeJSON
	}
	var b bytes.Buffer
	for k, i := range which {
		b.WriteByte("[,"[min(k, 1)])
		b.Write(batch[i].Raw)
	}
	b.WriteByte(']')
	return b.Bytes(), event.ContentTypeBatch
}

// refusals reads which events a request was refused for (RFC 9457, with one error per
// event). A refusal that names none concerns the request itself, and sending stops;
// unless the request is one event.
func refusals(status int, answer []byte, n int) (map[int]error, error) {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			Index  int          `json:"index"`
			Reason fault.Reason `json:"reason"`
			Detail string       `json:"detail"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(answer, &problem) // of another server: no detail
	refused := make(map[int]error)
	for _, e := range problem.Errors {
		if e.Index >= 0 && e.Index < n {
			detail := strings.TrimPrefix(e.Detail, string(e.Reason)+": ")
			refused[e.Index] = &fault.Error{Kind: fault.Permanent, Reason: e.Reason, Detail: detail}
		}
	}
	if len(refused) > 0 {
		return refused, nil
	}
	why := problem.Detail
	if why == "" {
		why = brief(answer)
	}
	text := fmt.Sprintf("the server answers %d %s: %s", status, http.StatusText(status), why)
	if n == 1 && (status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity) {
		return map[int]error{0: &fault.Error{Kind: fault.Permanent, Reason: fault.Unknown, Detail: text}}, nil
	}
	return nil, fmt.Errorf("%s", text)
}

// brief is the beginning of a server's answer, for an error.
func brief(answer []byte) string { return short(oneLine(string(answer)), 200) }
