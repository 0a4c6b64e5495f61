package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The lock file names the package's hash and no registry: npm uses the one it is set to.
//
//go:embed cdk/package.json
var cdkPackage []byte

//go:embed cdk/package-lock.json
var cdkLock []byte

// CDKVersion of the command line aws-cdk. Version 3.0.0 is an accidental release
// (aws/aws-cdk#38113).
const CDKVersion = "2.1148.1"

// CDK is the AWS CDK's command line, pointed at a LocalStack.
type CDK struct {
	App      string // folder with cdk.json, which the app runs in
	Endpoint string // of LocalStack
	// Home keeps what the command line remembers between two runs, such as the account of
	// a set of credentials, and the templates, which two runs at once cannot share: it must
	// be another one for another LocalStack.
	Home string
}

// Run runs `cdk ARGS…` and writes all that it prints to out. The first run ever installs
// it into the cache. It asks nothing: a question would wait for ever.
func (c *CDK) Run(ctx context.Context, out io.Writer, args ...string) error {
	node, err := exec.LookPath("node")
	if err != nil {
		return errors.New("no CDK: it needs Node.js 20 or newer, and there is no node on the PATH (on Debian: apt-get install nodejs npm)")
	}
	dir, err := cached(ctx, "aws-cdk-"+CDKVersion, fetchCDK)
	if err != nil {
		return fmt.Errorf("no CDK: %w", err)
	}
	args = append([]string{filepath.Join(dir, "node_modules", "aws-cdk", "bin", "cdk")}, args...)
	args = append(args, "--output", filepath.Join(c.Home, "cdk.out"), "--no-color", "--no-notices", "--ci") // --ci: all to standard output
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Dir = c.App
	cmd.Stdout, cmd.Stderr = out, out
	// The app is the command line's child: a cancelled ctx must end both.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(withoutVariables(os.Environ(), "AWS_", "CDK_", "MILLRACE_"), LocalStackEnv(c.Endpoint)...)
	cmd.Env = append(cmd.Env, "CDK_HOME="+c.Home, "CDK_DISABLE_CLI_TELEMETRY=true",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cdk %v: %w", args[1:], err)
	}
	return nil
}

func fetchCDK(ctx context.Context, dir string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("its download needs npm, and there is none on the PATH (on Debian: apt-get install npm)")
	}
	err := errors.Join(os.WriteFile(filepath.Join(dir, "package.json"), cdkPackage, 0o644),
		os.WriteFile(filepath.Join(dir, "package-lock.json"), cdkLock, 0o644))
	if err != nil {
		return err
	}
	if err := run(ctx, dir, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
		return fmt.Errorf("npm could not download it (is the npm registry reached from here?): %w", err)
	}
	return nil
}
