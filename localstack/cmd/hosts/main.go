// Command hosts runs MongoDB, Kafka and LocalStack on this machine for a developer,
// without Docker:
//
//	eval "$(go run ./localstack/cmd/hosts up)"
//	go run ./localstack/cmd/hosts status
//	go run ./localstack/cmd/hosts down
//
// The servers stay when the command has ended. The data of MongoDB and Kafka stays when
// they are stopped, LocalStack's does not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		os.Exit(1)
	}
}

// mongoCacheGB is enough for a benchmark: with the least that mongod takes, a quarter,
// each event costs it half as much again.
const mongoCacheGB = 4

// service is one server that the command runs.
type service struct {
	name   string // for --only, and of its run directory
	server *host.Server
	addr   func() string
	env    func(addr string) []string // variables that name it to Millrace's tests and commands
}

func services(dir string) ([]service, error) {
	mongo, err := host.NewMongo(host.MongoOptions{Dir: filepath.Join(dir, "mongo"), Detach: true, CacheGB: mongoCacheGB})
	if err != nil {
		return nil, err
	}
	kafka, err := host.NewKafka(host.KafkaOptions{Dir: filepath.Join(dir, "kafka"), Detach: true})
	if err != nil {
		return nil, err
	}
	localstack, err := host.NewLocalStack(host.LocalStackOptions{Dir: filepath.Join(dir, "localstack"), Detach: true})
	if err != nil {
		return nil, err
	}
	return []service{
		{"mongo", mongo.Server, mongo.URI, variable("MONGODB_URI")},
		{"kafka", kafka.Server, kafka.Addr, variable("MILLRACE_KAFKA")},
		{"localstack", localstack.Server, localstack.Endpoint, host.LocalStackEnv},
	}, nil
}

func variable(name string) func(addr string) []string {
	return func(addr string) []string { return []string{name + "=" + addr} }
}

// options are the flags that all subcommands have.
type options struct {
	dir  string
	only []string
}

func newCommand() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:           "hosts",
		Short:         "Run MongoDB, Kafka and LocalStack on this machine without Docker",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.dir, "dir", "", "folder of the servers' data, logs and process ids (default: hosts in the cache, see $"+host.CacheEnv+")")
	flags.StringSliceVar(&o.only, "only", nil, "only these servers: mongo, kafka, localstack")
	add := func(use, short string, run func(ctx context.Context, all []service, out, messages io.Writer) error) {
		root.AddCommand(&cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			all, err := o.services()
			if err != nil {
				return err
			}
			return run(c.Context(), all, c.OutOrStdout(), c.ErrOrStderr())
		}})
	}
	add("up", "Start them, and print the lines that tell a shell where they are", up)
	add("down", "Stop them; the data of MongoDB and Kafka stays", down)
	add("status", "Say which of them run, and where", status)
	return root
}

func (o *options) services() ([]service, error) {
	dir := o.dir
	if dir == "" {
		cache, err := host.CacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(cache, "hosts")
	}
	all, err := services(dir)
	if err != nil || len(o.only) == 0 {
		return all, err
	}
	var chosen []service
	for _, name := range o.only {
		i := slices.IndexFunc(all, func(s service) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only %s: there is mongo, kafka and localstack", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func up(ctx context.Context, all []service, out, messages io.Writer) error {
	var errs []error
	for _, s := range all {
		if s.server.PID() == 0 {
			fmt.Fprintf(messages, "%s: starting (the first time ever downloads it)\n", s.name)
			if err := s.server.Start(ctx); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		fmt.Fprintf(messages, "%s: up, process %d, %s\n", s.name, s.server.PID(), s.server.Dir())
		for _, kv := range s.env(s.addr()) {
			name, value, _ := strings.Cut(kv, "=")
			fmt.Fprintf(out, "export %s='%s'\n", name, value)
		}
	}
	return errors.Join(errs...)
}

func down(ctx context.Context, all []service, _, messages io.Writer) error {
	var errs []error
	for _, s := range all {
		if s.server.PID() == 0 {
			fmt.Fprintf(messages, "%s: not running\n", s.name)
			continue
		}
		err := s.server.Stop(ctx)
		errs = append(errs, err)
		if err == nil {
			fmt.Fprintf(messages, "%s: stopped\n", s.name)
		}
	}
	return errors.Join(errs...)
}

// errDown gives status its exit code.
var errDown = errors.New("not all of them run")

func status(_ context.Context, all []service, out, _ io.Writer) error {
	var err error
	for _, s := range all {
		pid := s.server.PID()
		if pid == 0 {
			err = errDown
			fmt.Fprintf(out, "%s\tdown\n", s.name)
			continue
		}
		fmt.Fprintln(out, strings.Join([]string{s.name, "up", s.addr(), fmt.Sprint("process ", pid), s.server.LogFile()}, "\t"))
	}
	return err
}
