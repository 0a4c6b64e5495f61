package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// PluginPython is what the plugin's own tests run with: the Python of the environment that
// LocalStack runs in, and a folder for PYTHONPATH with what requirements-test.txt names on
// top of it. Both are made where they are missing.
func PluginPython(ctx context.Context) (python, path string, err error) {
	dir, err := pluginDir()
	if err != nil {
		return "", "", err
	}
	venv, err := localStackVenv(ctx, os.DirFS(dir))
	if err != nil {
		return "", "", err
	}
	requirements := filepath.Join(dir, "requirements-test.txt")
	pins, err := os.ReadFile(requirements)
	if err != nil {
		return "", "", fmt.Errorf("the plugin's sources: %w", err)
	}
	path, err = cached(ctx, "localstack-tests-"+shortHash(append(pins, venv...)), func(ctx context.Context, to string) error {
		return pip(ctx, venv, "--target", to, "-r", requirements)
	})
	return venvPython(venv), path, err
}

// pluginDir has the plugin's sources.
func pluginDir() (string, error) {
	top, err := Checkout()
	if err != nil {
		return "", fmt.Errorf("no LocalStack: %w", err)
	}
	return filepath.Join(top, "localstack", "plugin"), nil
}
