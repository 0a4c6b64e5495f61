package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// LocalStackVersion is the last version of LocalStack that runs without an account.
const LocalStackVersion = "4.14.0"

// Region and credentials that LocalStack is used with. It takes any; AWS takes none of
// these, so that a command that misses LocalStack does no harm.
const (
	LocalStackRegion = "us-east-1"
	LocalStackKey    = "test"
)

// LocalStackOptions says how to run LocalStack.
type LocalStackOptions struct {
	Dir    string // its run directory, made if missing
	Detach bool   // let it outlive this process

	// Plugin holds the sources of Millrace's plugin for LocalStack: pyproject.toml,
	// requirements.txt, which pins LocalStack too, and src. nil: those of the checkout
	// that the working directory is in.
	Plugin fs.FS
	// Env are further variables, "NAME=value", that configure LocalStack or the plugin.
	Env []string
}

// LocalStack is LocalStack as a process of this machine, with Millrace's plugin: Lambda
// functions run as its child processes. Its state is in memory: a LocalStack that starts
// again is empty.
type LocalStack struct {
	*Server
	plugin fs.FS
	env    []string
}

// NewLocalStack describes a LocalStack; Start runs it. The first Start ever installs it
// into the cache, which takes about two minutes and 500 MB.
func NewLocalStack(o LocalStackOptions) (*LocalStack, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	l := &LocalStack{Server: &Server{name: "localstack", dir: dir, detach: o.Detach, grace: stopTimeout}, plugin: o.Plugin, env: o.Env}
	l.prepare = l.command
	l.ready = func(ctx context.Context) error { return LocalStackReady(ctx, l.Endpoint()) }
	return l, nil
}

// Endpoint is the URL of all services; "" before the first Start.
func (l *LocalStack) Endpoint() string {
	if addr := keptAddr(l.dir, 0); addr != "" {
		return "http://" + addr
	}
	return ""
}

// LocalStackEnv are the variables by which AWS's SDKs and command lines take LocalStack at
// an endpoint for AWS.
func LocalStackEnv(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + endpoint,
		"AWS_REGION=" + LocalStackRegion,
		"AWS_ACCESS_KEY_ID=" + LocalStackKey,
		"AWS_SECRET_ACCESS_KEY=" + LocalStackKey,
	}
}

// command installs what is missing, empties the state and returns LocalStack's command
// line. LocalStack reads no arguments: the last one is there for findProcess.
func (l *LocalStack) command(ctx context.Context) (*exec.Cmd, error) {
	sources := l.plugin
	if sources == nil {
		dir, err := pluginDir()
		if err != nil {
			return nil, err
		}
		sources = os.DirFS(dir)
	}
	venv, err := localStackVenv(ctx, sources)
	if err != nil {
		return nil, err
	}
	plugin, err := localStackPlugin(ctx, sources, venv)
	if err != nil {
		return nil, err
	}
	ports, err := keptPorts(l.dir, 1)
	if err != nil {
		return nil, err
	}
	state, tmp := filepath.Join(l.dir, "state"), filepath.Join(l.dir, "state", "tmp")
	if err := errors.Join(os.RemoveAll(state), os.MkdirAll(tmp, 0o755)); err != nil {
		return nil, err
	}
	cmd := exec.Command(venvPython(venv), "-m", "localstack.runtime.main", l.dir)
	cmd.Dir = l.dir
	cmd.Env = append(withoutVariables(os.Environ(), "AWS_", "PYTHON", "MILLRACE_"), LocalStackSettings(loopback(ports[0]))...)
	cmd.Env = append(cmd.Env, "PYTHONPATH="+plugin, "PYTHONNOUSERSITE=1",
		"FILESYSTEM_ROOT="+state, "TMPDIR="+tmp,
		// Inside of a container LocalStack keeps its files in /var/lib/localstack and
		// /tmp/localstack whatever FILESYSTEM_ROOT says, and another one that stops deletes them.
		"OVERRIDE_IN_DOCKER=0")
	cmd.Env = append(cmd.Env, l.env...)
	return cmd, nil
}

// LocalStackSettings are the variables that have LocalStack (its docs, "Configuration")
// listen on an address of this machine and reach for nothing outside it.
func LocalStackSettings(addr string) []string {
	return []string{
		"GATEWAY_LISTEN=" + addr,
		"LOCALSTACK_HOST=" + addr,
		"SQS_ENDPOINT_STRATEGY=path", // queue URLs that resolve without its name server
		"SKIP_SSL_CERT_DOWNLOAD=1",
		"DISABLE_EVENTS=1", // usage statistics
		"DNS_ADDRESS=0",    // no name server
		"LAMBDA_RUNTIME_EXECUTOR=process",
		"SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL=5",
		// The defaults rest for 1 s after each batch and for up to 10 s while a source is
		// empty, which AWS does not.
		"LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.001",
		"LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC=1",
	}
}

// withoutVariables is an environment without the variables whose names begin so: what the
// user has set for AWS must not reach LocalStack, nor for another Python.
func withoutVariables(environ []string, prefixes ...string) []string {
	var kept []string
	for _, kv := range environ {
		drop := false
		for _, p := range prefixes {
			drop = drop || strings.HasPrefix(kv, p)
		}
		if !drop {
			kept = append(kept, kv)
		}
	}
	return kept
}

// LocalStackReady returns nil once the LocalStack at an endpoint serves. It tries once:
// call it through Poll.
func LocalStackReady(ctx context.Context, endpoint string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_localstack/health", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return nil
}
