package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// The context that the CLI passes is checked before anything is made.
func TestContextIsChecked(t *testing.T) {
	needNode(t)
	app := awscdk.NewApp(&awscdk.AppProps{Context: &map[string]any{
		"@aws-cdk/core:x": true, "tagret": "localstack", "kafkaPollersMin": 3, "logLevel": "loud",
	}})
	err := synth(app)
	want := `logLevel: "loud" is none of debug, info, warn, error
tagret: there is no such setting; did you mean target?`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// What the CDK refuses is an error with its reason, not a stack trace.
func TestRefusalOfTheCDK(t *testing.T) {
	needNode(t)
	app := awscdk.NewApp(nil)
	awscdk.NewStack(app, jsii.String("Data"), nil)
	functions, err := filepath.Glob("../functions/*/main.go")
	if err != nil || len(functions) == 0 {
		t.Fatalf("functions %v, %v", functions, err)
	}
	t.Chdir(t.TempDir())
	for _, main := range functions {
		path := filepath.Join("build", "functions", "arm64", filepath.Base(filepath.Dir(main))+".zip")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err = synth(app)
	if err == nil || !strings.Contains(err.Error(), "the CDK refuses it: ") || !strings.Contains(err.Error(), "'Data'") {
		t.Errorf("a second stack of the same name: %v", err)
	}
}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if strings.Contains(os.Getenv("MILLRACE_REQUIRE"), "node") {
			t.Fatal("there is no node on the PATH, and MILLRACE_REQUIRE wants it")
		}
		t.Skip("there is no node on the PATH: the CDK runs in it")
	}
}
