package host

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Ports are drawn from below the range that Linux gives outgoing connections (32768 and
// up): while a server is down for a restart, no client's connection can take its port.
const firstPort, lastPort = 20_000, 32_000

// freePorts returns n ports of 127.0.0.1 on which nothing listens.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var last error
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		held = append(held, l)
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("no free port between %d and %d: %w", firstPort, lastPort, last)
}

// keptPorts returns the ports that the run directory remembers, so that a server comes
// back where its clients and its own data expect it; the first time it chooses n free ones.
func keptPorts(dir string, n int) ([]int, error) {
	file := filepath.Join(dir, "ports")
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		ports, err := freePorts(n)
		if err != nil {
			return nil, err
		}
		text := strings.Trim(fmt.Sprint(ports), "[]") + "\n"
		return ports, os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		return nil, err
	}
	var ports []int
	for f := range strings.FieldsSeq(string(b)) {
		port, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		ports = append(ports, port)
	}
	if len(ports) != n {
		return nil, fmt.Errorf("%s has %d ports, want %d: remove %s to start anew", file, len(ports), n, dir)
	}
	return ports, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
