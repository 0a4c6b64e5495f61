package oncall

import (
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Place is where a deployment is: what commands and links in a page need.
type Place struct {
	Env    string
	Region string
	Target string // the value of --target: aws or localstack
}

// command is a command of the table with what makes it work on this deployment.
func (p Place) command(c string) string {
	return c + " --target " + p.Target + " --env " + p.Env
}

// name of an alarm without the prefix of the environment.
func (p Place) name(alarm string) string { return strings.TrimPrefix(alarm, p.prefix()) }

func (p Place) prefix() string { return spec.ResourceName(p.Env, "") }

// dashboard is the address of the deployment's dashboard.
func (p Place) dashboard() string { return spec.DashboardURL(p.Env, p.Region) }

// logsAround is how long before and after the alarm the log query looks.
const logsAround = 30 * time.Minute

// logs is the address of a Logs Insights query for what failed in the stage's function
// around a time. The console's own encoding of a query in an address: *xx for a character
// in a text, ~ between members.
func (p Place) logs(stage string, at time.Time) string {
	const query = `fields @timestamp, level, msg, reasons, failures.0.error | filter level in ["ERROR", "WARN"] or @message like /Task timed out|Runtime exited/ | sort @timestamp desc | limit 100`
	moment := func(t time.Time) string { return consoleText(t.UTC().Format("2006-01-02T15:04:05.000Z")) }
	return spec.Console(p.Region) + "logsV2:logs-insights$3FqueryDetail$3D~(end~'" + moment(at.Add(logsAround)) +
		"~start~'" + moment(at.Add(-logsAround)) + "~timeType~'ABSOLUTE~tz~'UTC~editorString~'" + consoleText(query) +
		"~source~(~'" + consoleText(spec.LogGroup(p.Env, stage)) + "))"
}

func consoleText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "*%02x", c)
		}
	}
	return b.String()
}
