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

// FreePorts returns n ports of 127.0.0.1 on which nothing listens.
func FreePorts(n int) ([]int, error) {
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
// back where its clients and its own data expect it; the first time it chooses n free
// ones. A remembered port on which another process listens is an error: the server would
// only fail more obscurely, and the other one would be taken for it.
func keptPorts(dir string, n int) ([]int, error) {
	ports, err := readPorts(dir)
	if os.IsNotExist(err) {
		if ports, err = FreePorts(n); err != nil {
			return nil, err
		}
		text := strings.Trim(fmt.Sprint(ports), "[]") + "\n"
		return ports, os.WriteFile(portsFile(dir), []byte(text), 0o644)
	}
	if err != nil {
		return nil, err
	}
	if len(ports) != n {
		return nil, fmt.Errorf("%s has %d ports, want %d: remove %s to start anew", portsFile(dir), len(ports), n, dir)
	}
	for _, port := range ports {
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return nil, fmt.Errorf("port %d, which %s uses, is taken: %w", port, dir, err)
		}
		_ = l.Close()
	}
	return ports, nil
}

func portsFile(dir string) string { return filepath.Join(dir, "ports") }

// readPorts is what keptPorts has kept; its error is os.ErrNotExist before that.
func readPorts(dir string) ([]int, error) {
	b, err := os.ReadFile(portsFile(dir))
	if err != nil {
		return nil, err
	}
	var ports []int
	for f := range strings.FieldsSeq(string(b)) {
		port, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", portsFile(dir), err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// keptAddr is the address of the i-th port of a run directory, "" before the first start.
func keptAddr(dir string, i int) string {
	ports, err := readPorts(dir)
	if err != nil || i >= len(ports) {
		return ""
	}
	return loopback(ports[i])
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
