//go:build integration

package alarms

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// tick is how often the scheduled functions run: at least twice in the shortest period.
const tick = 4 * time.Second

// scheduled is what EventBridge invokes a function with (EventBridge User Guide,
// "Creating a rule that runs on a schedule").
const scheduled = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2026-11-24T03:00:00Z","region":"us-east-1","resources":[],"detail":{}}`

// schedule runs the scheduled functions as often as the shortened alarms want it, besides
// EventBridge, which has whole minutes only.
type schedule struct {
	env     string
	rules   *eventbridge.Client
	targets map[string][]types.Target // of the rules that are stopped
	mu      sync.Mutex
	stopped map[string]bool
	running map[string]*sync.WaitGroup // invocations that are under way
}

func newSchedule(t *testing.T, p *deployed.Pipeline) *schedule {
	s := &schedule{env: p.Env, rules: eventbridge.NewFromConfig(p.AWS), targets: make(map[string][]types.Target), stopped: make(map[string]bool), running: make(map[string]*sync.WaitGroup)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	names := []string{spec.Monitor, spec.Redrive, spec.OnCall}
	for _, name := range names {
		s.running[name] = new(sync.WaitGroup)
	}
	for _, name := range names {
		running.Go(func() { s.run(ctx, name, p.Function(name)) })
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// atOnce is how many runs of a function may be under way: monitor takes longer than a tick
// to find out that nothing answers.
const atOnce = 6

// run invokes a function until ctx is done. Its errors are data for the alarms: monitor
// fails while what it asks does not answer.
func (s *schedule) run(ctx context.Context, name string, f *awsio.Function) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var running errgroup.Group
	defer func() { _ = running.Wait() }()
	running.SetLimit(atOnce)
	for {
		if s.begin(name) && !running.TryGo(func() error {
			defer s.running[name].Done()
			_, _ = f.Invoke(ctx, []byte(scheduled))
			return nil
		}) {
			s.running[name].Done()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// begin says that an invocation begins, unless the schedule of the function is stopped.
func (s *schedule) begin(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped[name] {
		s.running[name].Add(1)
	}
	return !s.stopped[name]
}

// stop the schedule of a function: its rule loses its targets, by somebody's mistake. A
// rule of LocalStack 4.14 that is disabled goes on. It returns when no invocation of the
// schedule is under way.
func (s *schedule) stop(t *testing.T, name string) {
	t.Helper()
	rule := spec.ResourceName(s.env, name)
	out, err := s.rules.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: &rule})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range out.Targets {
		ids = append(ids, *out.Targets[i].Id)
	}
	if _, err := s.rules.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: &rule, Ids: ids}); err != nil {
		t.Fatal(err)
	}
	s.targets[name] = out.Targets
	s.set(name, true)
	s.running[name].Wait()
}

// start the schedule again.
func (s *schedule) start(t *testing.T, name string) {
	t.Helper()
	rule := spec.ResourceName(s.env, name)
	if _, err := s.rules.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &rule, Targets: s.targets[name]}); err != nil {
		t.Fatal(err)
	}
	s.set(name, false)
}

func (s *schedule) set(name string, stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped[name] = stopped
}
