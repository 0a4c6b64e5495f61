package host

import (
	"errors"
	"os"
	"path/filepath"
)

// Checkout is the top folder of Millrace's repository, from the working directory up:
// LocalStack's plugin, the functions and the CDK app are built from its sources.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "localstack", "host", "checkout.go")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("the working directory is not inside a checkout of Millrace's repository")
		}
		dir = up
	}
}
