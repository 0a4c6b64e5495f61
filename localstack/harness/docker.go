package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
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
	s := &containerServer{container: c, addr: "127.0.0.1:" + strconv.Itoa(ports[0]), ready: ready}
	discard := func(context.Context) error { return testcontainers.TerminateContainer(c) }
	if err == nil {
		err = s.await(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("container %s: %w", image, err), discard(ctx))
	}
	return &Server{Addr: addrOf(s.addr), lifecycle: s, discard: discard}, nil
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
