//go:build integration

package e2e

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// flakySNS stands between a function and LocalStack's SNS and refuses every other entry of
// PublishBatch, as SNS does when it is overloaded.
type flakySNS struct {
	*httptest.Server
	to      string // LocalStack
	entries atomic.Int64
	refused atomic.Int64
}

func newFlakySNS(t *testing.T, to string) *flakySNS {
	f := &flakySNS{to: to}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f.serve(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

const entryPrefix = "PublishBatchRequestEntries.member."

// batchAnswer is PublishBatch's answer (Amazon SNS API reference, PublishBatch).
type batchAnswer struct {
	XMLName    xml.Name    `xml:"http://sns.amazonaws.com/doc/2010-03-31/ PublishBatchResponse"`
	Successful []batchDone `xml:"PublishBatchResult>Successful>member"`
	Failed     []batchFail `xml:"PublishBatchResult>Failed>member"`
	RequestID  string      `xml:"ResponseMetadata>RequestId"`
}

type batchDone struct{ Id, MessageId string }

type batchFail struct {
	Id, Code, Message string
	SenderFault       bool
}

func (f *flakySNS) serve(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	kept := url.Values{}
	for name, values := range r.PostForm {
		if !strings.HasPrefix(name, entryPrefix) {
			kept[name] = values
		}
	}
	var answer batchAnswer
	n := 0
	for i := 1; r.PostForm.Has(fmt.Sprint(entryPrefix, i, ".Id")); i++ {
		if f.entries.Add(1)%2 == 0 {
			f.refused.Add(1)
			id := r.PostForm.Get(fmt.Sprint(entryPrefix, i, ".Id"))
			answer.Failed = append(answer.Failed, batchFail{Id: id, Code: "InternalError", Message: "try again"})
			continue
		}
		n++
		from, to := fmt.Sprint(entryPrefix, i, "."), fmt.Sprint(entryPrefix, n, ".")
		for name, values := range r.PostForm {
			if rest, ok := strings.CutPrefix(name, from); ok {
				kept[to+rest] = values
			}
		}
	}
	if n > 0 {
		if err := f.forward(r, kept, &answer); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/xml")
	return xml.NewEncoder(w).Encode(answer)
}

// forward sends the kept entries on and adds LocalStack's answer.
func (f *flakySNS) forward(r *http.Request, form url.Values, answer *batchAnswer) error {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, f.to, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("LocalStack answers %s: %s", resp.Status, bytes.TrimSpace(body))
	}
	return xml.Unmarshal(body, answer)
}
