package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// Images, of the versions that production and host mode have.
const (
	mongoImage = "mongo:6.0"
	kafkaImage = "apache/kafka:" + host.KafkaVersion

	localStackImage = "millrace/localstack" // built from localstack/Dockerfile
)

// dockerAnswers asks the Docker engine on this machine for a sign of life. Only one on a
// local socket counts: the containers' ports must be on 127.0.0.1.
func dockerAnswers(ctx context.Context) error {
	socket, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if !ok {
		if h := os.Getenv("DOCKER_HOST"); h != "" {
			return fmt.Errorf("DOCKER_HOST %s is not on a local socket", h)
		}
		socket = "/var/run/docker.sock"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	engine := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	resp, err := engine.Do(req)
	if err != nil {
		return fmt.Errorf("no Docker engine answers: %w", errors.Unwrap(err))
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the Docker engine answers %s", resp.Status)
	}
	return nil
}

func dockerMongo(ctx context.Context) (*Server, error) {
	return startContainer(ctx, mongoImage, host.MongoReady, func(port int) []testcontainers.ContainerCustomizer {
		return []testcontainers.ContainerCustomizer{testcontainers.WithCmd("mongod", "--replSet", host.ReplicaSet,
			"--bind_ip_all", "--port", strconv.Itoa(port), "--wiredTigerCacheSizeGB", "0.25")}
	}, host.MongoURI)
}

func dockerKafka(ctx context.Context) (*Server, error) {
	plain := func(addr string) string { return addr }
	return startContainer(ctx, kafkaImage, host.KafkaReady, func(port int) []testcontainers.ContainerCustomizer {
		return []testcontainers.ContainerCustomizer{testcontainers.WithEnv(map[string]string{
			"KAFKA_NODE_ID":                                  "1",
			"KAFKA_PROCESS_ROLES":                            "broker,controller",
			"KAFKA_LISTENERS":                                fmt.Sprintf("PLAINTEXT://0.0.0.0:%d,CONTROLLER://127.0.0.1:9093", port),
			"KAFKA_ADVERTISED_LISTENERS":                     fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port),
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
			"KAFKA_INTER_BROKER_LISTENER_NAME":               "PLAINTEXT",
			"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@127.0.0.1:9093",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
			"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
			"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
			"KAFKA_BROKER_SESSION_TIMEOUT_MS":                "3000",
			"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS":             "500",
			"KAFKA_HEAP_OPTS":                                "-Xmx512m",
		})}
	}, plain)
}

// dockerLocalStack runs LocalStack in the network of this machine: it and the functions in
// it find Kafka and MongoDB where the tests find them. (The module localstack of
// testcontainers publishes a port instead, and from inside nothing of the machine is seen.)
func dockerLocalStack(ctx context.Context) (*Server, error) {
	top, err := host.Checkout()
	if err != nil {
		return nil, err
	}
	ports, err := host.FreePorts(1)
	if err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(ports[0])
	env := make(map[string]string)
	for _, kv := range host.LocalStackSettings(addr) {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	c, err := testcontainers.Run(ctx, "", testcontainers.WithEnv(env),
		testcontainers.WithDockerfile(testcontainers.FromDockerfile{
			Context: filepath.Join(top, "localstack"), Repo: localStackImage, Tag: host.LocalStackVersion, KeepImage: true,
		}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) { c.NetworkMode = network.NetworkHost }),
		// An engine without a bridge would be given a network, and the container with it.
		testcontainers.WithEndpointSettingsModifier(func(all map[string]*network.EndpointSettings) { clear(all) }))
	return served(ctx, localStackImage, c, err, "http://"+addr, "http://"+addr, host.LocalStackReady)
}

// containerServer is a server in a container.
type containerServer struct {
	container *testcontainers.DockerContainer
	addr      string
	ready     func(ctx context.Context, addr string) error
}

// startContainer runs an image whose server listens on the same port inside and outside:
// replica set members and Kafka's advertised listener name the address that clients use,
// and Docker would choose another published port at a restart.
func startContainer(ctx context.Context, image string, ready func(ctx context.Context, addr string) error,
	options func(port int) []testcontainers.ContainerCustomizer, addrOf func(addr string) string,
) (*Server, error) {
	ports, err := host.FreePorts(1)
	if err != nil {
		return nil, err
	}
	published := strconv.Itoa(ports[0]) + "/tcp"
	all := append(options(ports[0]), testcontainers.WithExposedPorts(published),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = network.PortMap{network.MustParsePort(published): {{
				HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(ports[0]),
			}}}
		}))
	c, err := testcontainers.Run(ctx, image, all...)
	addr := "127.0.0.1:" + strconv.Itoa(ports[0])
	return served(ctx, image, c, err, addr, addrOf(addr), ready)
}

// served waits until the server in a container serves; err is what starting it gave. addr
// is where to look, public what tests are told.
func served(ctx context.Context, image string, c *testcontainers.DockerContainer, err error, addr, public string,
	ready func(ctx context.Context, addr string) error,
) (*Server, error) {
	s := &containerServer{container: c, addr: addr, ready: ready}
	discard := func(context.Context) error { return testcontainers.TerminateContainer(c) }
	if err == nil {
		err = s.await(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("container %s: %w", image, err), discard(ctx))
	}
	return &Server{Addr: public, lifecycle: s, discard: discard}, nil
}

func (s *containerServer) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return host.Poll(ctx, 50*time.Millisecond, func(ctx context.Context) error { return s.ready(ctx, s.addr) })
}

func (s *containerServer) Start(ctx context.Context) error {
	if err := s.container.Start(ctx); err != nil {
		return err
	}
	return s.await(ctx)
}

func (s *containerServer) Stop(ctx context.Context) error {
	grace := 30 * time.Second
	return s.container.Stop(ctx, &grace)
}

func (s *containerServer) Kill(ctx context.Context) error {
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	defer docker.Close()
	// Stop with no time to spare still sends SIGTERM first.
	if _, err := docker.ContainerKill(ctx, s.container.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return host.Poll(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		state, err := s.container.State(ctx)
		if err == nil && state.Running {
			err = errors.New("the container still runs")
		}
		return err
	})
}
