package awsio

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

func TestFunctionURLRegion(t *testing.T) {
	for host, want := range map[string]string{
		"abc.lambda-url.eu-west-1.on.aws":             "eu-west-1",
		"ABC.Lambda-URL.us-east-1.on.aws":             "us-east-1",
		"lambda-url.eu-west-1.on.aws":                 "",
		"abc.lambda-url.eu-west-1.on.aws.example.com": "",
		"localhost": "",
	} {
		if got, ok := FunctionURLRegion(host); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", host, got, ok)
		}
	}
}

func TestSigned(t *testing.T) {
	var got http.Header
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, body = r.Header, string(b)
	}))
	defer srv.Close()
	signed := &Signed{
		Config: aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKID", "very-secret", "token")},
		Region: "eu-west-1", Base: srv.Client().Transport,
		Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("an event"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("content-type", "application/cloudevents+json")
	res, err := (&http.Client{Transport: signed}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	auth := got.Get("Authorization")
	if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKID/20260102/eu-west-1/lambda/aws4_request, SignedHeaders=content-length;content-type;host;x-amz-date;x-amz-security-token, Signature=") {
		t.Errorf("authorization %q", auth)
	}
	if got.Get("X-Amz-Date") != "20260102T030405Z" || got.Get("X-Amz-Security-Token") != "token" || body != "an event" {
		t.Errorf("header %v, body %q", got, body)
	}
	if r.Header.Get("Authorization") != "" {
		t.Error("the request of the caller was changed")
	}
}
