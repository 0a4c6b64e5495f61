package harness

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

// Environment variables.
const (
	MongoEnv      = "MONGODB_URI"      // connection string of a MongoDB 6.0 or later that tests may write to
	KafkaEnv      = "MILLRACE_KAFKA"   // bootstrap server HOST:PORT of a Kafka without authentication
	LocalStackEnv = "AWS_ENDPOINT_URL" // URL of a LocalStack with Millrace's plugin
	RequireEnv    = "MILLRACE_REQUIRE" // services whose absence fails the tests: mongo,kafka,localstack
)

// inDocker after a service's name in MILLRACE_REQUIRE wants a container, no process of
// this machine: a test of the Docker path must not pass by the other one.
const inDocker = "@docker"

func required(service string) bool {
	return slices.Contains(strings.Split(os.Getenv(RequireEnv), ","), service)
}

// startTimeout bounds a download and a start together.
const startTimeout = 5 * time.Minute

// kind is a service that the harness can give.
type kind struct {
	name   string // as in MILLRACE_REQUIRE
	env    string
	ready  func(ctx context.Context, addr string) error
	docker starter
	host   starter
}

var (
	mongoKind      = kind{"mongo", MongoEnv, mongoAnswers, dockerMongo, hostMongo}
	kafkaKind      = kind{"kafka", KafkaEnv, host.KafkaReady, dockerKafka, hostKafka}
	localStackKind = kind{"localstack", LocalStackEnv, host.LocalStackReady, dockerLocalStack, hostLocalStack}
)

// sharedServer is the one server of its kind that the tests of a binary share.
type sharedServer struct {
	mu     sync.Mutex
	server *Server // nil before the first use
	err    error   // why there is none, for all tests after the first
}

// One per test binary is the point: it outlives every test, and Main ends it.
var sharedMongo, sharedKafka, sharedLocalStack sharedServer

// atEnd are what Main runs before it ends the servers.
var atEnd []func(ctx context.Context) error

// AtEnd has Main call f when the tests are done and the servers still run. Later calls run
// first, as with defer.
func AtEnd(f func(ctx context.Context) error) { atEnd = append(atEnd, f) }

// inMain says that Main runs the tests.
var inMain bool

// Main runs the tests of a binary, ends the servers that they shared, and exits.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that exits by itself, with the code that Run returns.
func Run(m *testing.M) int {
	inMain = true
	code := m.Run()
	for _, f := range slices.Backward(atEnd) {
		if err := f(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "harness:", err)
			code = max(code, 1)
		}
	}
	for _, s := range []*sharedServer{&sharedLocalStack, &sharedMongo, &sharedKafka} {
		if s.server == nil {
			continue
		}
		if err := s.server.discard(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "harness:", err)
			code = max(code, 1)
		}
	}
	return code
}

// Mongo is the connection string of the MongoDB that the tests of this binary share.
func Mongo(t testing.TB) string { t.Helper(); return sharedMongo.get(t, mongoKind).Addr }

// Kafka is the bootstrap server of the Kafka that the tests of this binary share.
func Kafka(t testing.TB) string { t.Helper(); return sharedKafka.get(t, kafkaKind).Addr }

// LocalStack is the endpoint of the LocalStack that the tests of this binary share; AWS is
// the configuration of a client of it.
func LocalStack(t testing.TB) string { t.Helper(); return sharedLocalStack.get(t, localStackKind).Addr }

// SharedMongo is the server of Mongo, for a test that stops it and has it running again
// when it ends.
func SharedMongo(t testing.TB) *Server { t.Helper(); return sharedMongo.get(t, mongoKind) }

// SharedKafka is the server of Kafka, for a test that stops it and has it running again
// when it ends.
func SharedKafka(t testing.TB) *Server { t.Helper(); return sharedKafka.get(t, kafkaKind) }

// OwnMongo starts a MongoDB for this test alone; Addr is its connection string. It ends
// with the test.
func OwnMongo(t testing.TB) *Server { t.Helper(); return own(t, mongoKind) }

// OwnKafka starts a Kafka for this test alone; Addr is its bootstrap server. It ends with
// the test.
func OwnKafka(t testing.TB) *Server { t.Helper(); return own(t, kafkaKind) }

func (s *sharedServer) get(t testing.TB, k kind) *Server {
	t.Helper()
	if !inMain {
		t.Fatal("harness: the package needs func TestMain(m *testing.M) { harness.Main(m) }")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.start(k)
	}
	if s.err != nil {
		missing(t, k, s.err)
	}
	return s.server
}

func (s *sharedServer) start(k kind) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if addr := os.Getenv(k.env); addr != "" {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := k.ready(ctx, addr); err != nil {
			s.err = given{fmt.Errorf("%s=%s does not answer: %w", k.env, addr, err)}
			return
		}
		s.server = &Server{Addr: addr, lifecycle: notOurs{k}, discard: func(context.Context) error { return nil }}
		return
	}
	s.server, s.err = start(ctx, k)
}

func own(t testing.TB, k kind) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	s, err := start(ctx, k)
	if err != nil {
		missing(t, k, err)
	}
	discardWith(t, s)
	return s
}

func discardWith(t testing.TB, s *Server) {
	t.Cleanup(func() {
		if err := s.discard(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// given is the failure of a server that the environment names: the tests were asked to
// use it, so they fail rather than skip.
type given struct{ error }

// missing ends the test: skipped, or failed where the service is required.
func missing(t testing.TB, k kind, err error) {
	t.Helper()
	if _, asked := err.(given); asked { //nolint:errorlint // never wrapped
		t.Fatalf("no %s: %v", k.name, err)
	}
	Missing(t, k.name, fmt.Errorf("%s names none, and %w", k.env, err))
}

// Missing ends a test for which something is not there: skipped with the first line of the
// reason, or failed where MILLRACE_REQUIRE lists the service.
func Missing(t testing.TB, service string, why error) {
	t.Helper()
	if required(service) || required(service+inDocker) {
		t.Fatalf("no %s: %v", service, why)
	}
	line, _, _ := strings.Cut(why.Error(), "\n")
	t.Skipf("no %s: %s", service, line)
}
