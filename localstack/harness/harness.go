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
	MongoEnv   = "MONGODB_URI"      // connection string of a MongoDB 6.0 or later that tests may write to
	KafkaEnv   = "MILLRACE_KAFKA"   // bootstrap server HOST:PORT of a Kafka without authentication
	RequireEnv = "MILLRACE_REQUIRE" // services whose absence fails the tests: mongo,kafka
)

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
	mongoKind = kind{"mongo", MongoEnv, mongoAnswers, dockerMongo, hostMongo}
	kafkaKind = kind{"kafka", KafkaEnv, host.KafkaReady, dockerKafka, hostKafka}
)

// sharedServer is the one server of its kind that the tests of a binary share.
type sharedServer struct {
	mu     sync.Mutex
	server *Server // nil before the first use, and when the address came from the environment
	addr   string
	err    error // why there is none, for all tests after the first
}

// One per test binary is the point: it outlives every test, and Main ends it.
var sharedMongo, sharedKafka sharedServer

// inMain says that Main runs the tests.
var inMain bool

// Main runs the tests of a binary, ends the servers that they shared, and exits.
func Main(m *testing.M) {
	inMain = true
	code := m.Run()
	for _, s := range []*sharedServer{&sharedMongo, &sharedKafka} {
		if s.server == nil {
			continue
		}
		if err := s.server.discard(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "harness:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Mongo is the connection string of the MongoDB that the tests of this binary share.
func Mongo(t testing.TB) string { t.Helper(); return sharedMongo.get(t, mongoKind) }

// Kafka is the bootstrap server of the Kafka that the tests of this binary share.
func Kafka(t testing.TB) string { t.Helper(); return sharedKafka.get(t, kafkaKind) }

// OwnMongo starts a MongoDB for this test alone; Addr is its connection string. It ends
// with the test.
func OwnMongo(t testing.TB) *Server { t.Helper(); return own(t, mongoKind) }

// OwnKafka starts a Kafka for this test alone; Addr is its bootstrap server. It ends with
// the test.
func OwnKafka(t testing.TB) *Server { t.Helper(); return own(t, kafkaKind) }

func (s *sharedServer) get(t testing.TB, k kind) string {
	t.Helper()
	if !inMain {
		t.Fatal("harness: the package needs func TestMain(m *testing.M) { harness.Main(m) }")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addr == "" && s.err == nil {
		s.start(k)
	}
	if s.err != nil {
		missing(t, k, s.err)
	}
	return s.addr
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
		s.addr = addr
		return
	}
	if s.server, s.err = start(ctx, k); s.err == nil {
		s.addr = s.server.Addr
	}
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
	_, asked := err.(given) //nolint:errorlint // never wrapped
	if asked || slices.Contains(strings.Split(os.Getenv(RequireEnv), ","), k.name) {
		t.Fatalf("no %s: %v", k.name, err)
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	t.Skipf("no %s (%s gives one): %s", k.name, k.env, line)
}
