package stack

import (
	"fmt"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// columns of a dashboard (Amazon CloudWatch API reference, "Dashboard Body Structure and
// Syntax").
const columns = 24

// board places widgets from left to right, in lines.
type board struct {
	env, region, cluster string

	widgets    []any
	x, y, line int // the next place, and the height of its line
}

func (b *board) add(kind string, width, height int, properties map[string]any) {
	if b.x+width > columns {
		b.newline()
	}
	b.widgets = append(b.widgets, map[string]any{
		"type": kind, "x": b.x, "y": b.y, "width": width, "height": height, "properties": properties,
	})
	b.x += width
	b.line = max(b.line, height)
}

func (b *board) newline() {
	b.x, b.y, b.line = 0, b.y+b.line, 0
}

// heading begins a part of the dashboard.
func (b *board) heading(format string, args ...any) {
	b.newline()
	b.add("text", columns, 1, map[string]any{"markdown": "## " + fmt.Sprintf(format, args...)})
	b.newline()
}

// graph adds lines over time.
func (b *board) graph(title string, width int, lines ...line) {
	b.target(title, width, "", 0, lines...)
}

// target adds a graph with a line across it at what is promised; without a label, none.
func (b *board) target(title string, width int, label string, value float64, lines ...line) {
	const height = 6
	p := map[string]any{
		"title": title, "view": "timeSeries", "region": b.region, "period": 60, "metrics": b.metrics(lines),
		"yAxis": map[string]any{"left": map[string]any{"min": 0}},
	}
	if label != "" {
		p["annotations"] = map[string]any{"horizontal": []any{map[string]any{"label": label, "value": value}}}
	}
	b.add("metric", width, height, p)
}

// line of a graph: an expression of spec in words.
type line struct {
	label string
	value spec.Expr
	stage string // that the expression is for

	metric []any // instead: one that spec has no series for, as the dashboard's body has it
}

func of(stage, label string, value spec.Expr) line {
	return line{label: label, value: value, stage: stage}
}

// metrics of a graph. Ids are unique within it: the metrics of the second line are b1, b2 …
func (b *board) metrics(lines []line) []any {
	var all []any
	for i, l := range lines {
		if l.metric != nil {
			all = append(all, l.metric)
			continue
		}
		id := string(rune('a' + i))
		q := spec.Render(l.value, spec.Scope{Stage: l.stage, Period: dashboardPeriod})
		if q.Math == "" {
			all = append(all, b.metric(q.Series[0], map[string]any{"label": l.label}))
			continue
		}
		all = append(all, []any{map[string]any{"expression": seriesID.ReplaceAllString(q.Math, id+"$1"), "label": l.label, "id": id}})
		for j, s := range q.Series {
			all = append(all, b.metric(s, map[string]any{"id": fmt.Sprintf("%s%d", id, j+1), "visible": false}))
		}
	}
	return all
}

// metric is a series as the dashboard's body has it: namespace, name, dimensions, options.
func (b *board) metric(s spec.Series, options map[string]any) []any {
	m := []any{s.Namespace, s.Metric}
	for _, d := range s.Dimensions(b.env, b.cluster) {
		m = append(m, d.Name, d.Value)
	}
	options["stat"] = string(s.Stat)
	return append(m, options)
}
