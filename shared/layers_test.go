// Package shared_test holds the rule of the layers (ARCHITECTURE.md, "Layers").
package shared_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/millrace-pipeline/millrace/"

// layer says what the packages below a path may import of this module, and of others.
type layer struct {
	path    string
	own     []string // path prefixes below the module
	foreign []string // import path prefixes of other modules; nil: any
	why     string
}

var core = []string{"shared/event", "shared/fault", "shared/spec", "shared/queue", "shared/store", "shared/pipeline", "shared/metric"}

// layers, the most specific path first: the first that fits a package counts.
var layers = []layer{
	{"shared/event", []string{"shared/event", "shared/fault"},
		[]string{"github.com/klauspost/compress", "github.com/segmentio/asm"}, "events know codecs and nothing else"},
	{"shared/fault", nil, []string{"-"}, "what to do about a failure depends on nobody"},
	{"shared/spec", []string{"shared/fault"}, []string{"-"}, "tables are data: infrastructure reads them too"},
	{"shared/queue", nil, []string{"-"}, "a contract knows no implementation"},
	{"shared/store", []string{"shared/event", "shared/fault"}, []string{"-"}, "a contract knows no implementation"},
	{"shared/pipeline", []string{"shared/event", "shared/fault", "shared/queue"}, []string{"-"}, "the rules of delivery know no technology"},
	{"shared/metric", core, []string{"-"}, "what is measured knows no technology"},
	{"shared/stage", append([]string{"shared/handlers"}, core...), []string{"golang.org/x/sync"}, "a stage is pure work"},
	{"shared/handlers", core, []string{"-"}, "handlers are the user's code, not ours to bind to an SDK"},
	{"shared/breaker", core, []string{"github.com/failsafe-go"}, "one library, wrapped once"},
	{"shared/redrive", core, []string{"golang.org/x"}, "the engine knows queues, not SQS"},
	{"shared/schema", append([]string{"events-samples"}, core...), []string{"github.com/santhosh-tekuri/jsonschema"}, "one library, wrapped once"},
	{"shared/alarm", core, []string{"-"}, "alarms are evaluated over any source of data"},
	{"shared/monitor", core, []string{"-"}, "what is watched is an interface"},
	{"shared/oncall", core, []string{"-"}, "who is paged knows no technology"},
	{"shared/alarm", core, []string{"-"}, "alarms are judged without a technology"},
	{"shared/ops", append([]string{"shared/redrive", "shared/schema"}, core...), []string{"golang.org/x"}, "operations know interfaces, not targets"},
	{"shared/adapter/", append([]string{"shared/adapter/SELF"}, core...), nil, "an adapter knows the core and its own SDK, never another adapter"},
	{"functions", []string{"functions/internal", "shared", "events-samples"}, nil, "functions wire adapters, and know their own helpers only"},
	{"infra", []string{"infra", "shared/spec"}, nil, "infrastructure reads the tables, so that nothing is named twice"},
	{"", []string{"shared", "localstack", "infra", "events-samples", "scripts/millrace"}, nil, "nothing imports functions or scripts"},
}

func TestLayers(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg, ok := strings.CutPrefix(f[0], module)
		if !ok {
			continue
		}
		seen++
		l := layerOf(pkg)
		for _, imp := range f[1:] {
			if !l.allows(pkg, imp) {
				t.Errorf("%s imports %s: %s", pkg, imp, l.why)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages seen", seen)
	}
}

func layerOf(pkg string) layer {
	for _, l := range layers {
		if below(pkg, l.path) {
			return l
		}
	}
	return layer{}
}

// below: path "a/b" holds a/b and a/b/c, path "a/" what is inside a, "" everything.
func below(pkg, path string) bool {
	return path == "" || pkg == path || strings.HasPrefix(pkg, strings.TrimSuffix(path, "/")+"/")
}

func (l layer) allows(pkg, imp string) bool {
	if own, ok := strings.CutPrefix(imp, module); ok {
		for _, p := range l.own {
			if below(own, strings.ReplaceAll(p, "shared/adapter/SELF", adapterOf(pkg))) {
				return true
			}
		}
		return false
	}
	if l.foreign == nil || !strings.Contains(strings.Split(imp, "/")[0], ".") {
		return true
	}
	for _, p := range l.foreign {
		if strings.HasPrefix(imp, p) {
			return true
		}
	}
	return false
}

// adapterOf shared/adapter/x/y is shared/adapter/x: one technology.
func adapterOf(pkg string) string {
	f := strings.SplitN(pkg, "/", 4)
	return strings.Join(f[:min(len(f), 3)], "/")
}

// The test would notice a breach: each rule refuses something it must refuse.
func TestLayersRefuse(t *testing.T) {
	for _, c := range []struct{ pkg, imp string }{
		{"shared/event/pack", module + "shared/pipeline"},
		{"shared/pipeline", "github.com/aws/aws-sdk-go-v2/service/sqs"},
		{"shared/stage/persist", module + "shared/adapter/sqlite/store"},
		{"shared/adapter/sqlite/store", module + "shared/adapter/emf"},
		{"shared/adapter/sqlite/store", module + "functions/ingest"},
		{"infra", module + "shared/pipeline"},
		{"shared/function", module + "functions/ingest"},
	} {
		if layerOf(c.pkg).allows(c.pkg, c.imp) {
			t.Errorf("%s may import %s", c.pkg, c.imp)
		}
	}
	if !layerOf("shared/adapter/sqlite/store").allows("shared/adapter/sqlite/store", module+"shared/adapter/sqlite/internal/db") {
		t.Error("an adapter may not import its own parts")
	}
}
