package spec

import (
	"fmt"
	"strings"
)

// SettingsMarkdown is the table of settings for the docs.
func SettingsMarkdown() string {
	var b strings.Builder
	b.WriteString("| variable | kind | default | allowed | meaning |\n|---|---|---|---|---|\n")
	for i := range Table {
		row := &Table[i]
		def := "none"
		if row.Default != "" {
			def = "`" + row.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", row.Env, row.Kind, def, row.Allowed(), row.Meaning)
	}
	return b.String()
}

// MetricsMarkdown is the table of metrics for the docs.
func MetricsMarkdown() string {
	var b strings.Builder
	b.WriteString("| metric | unit | read as | stages | meaning |\n|---|---|---|---|---|\n")
	for _, m := range Metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Unit, m.Statistic, strings.Join(m.Stages, ", "), m.Meaning)
	}
	return b.String()
}

// Allowed says in words which values the setting takes.
func (row *Setting) Allowed() string {
	switch row.Kind {
	case Choice, Level:
		return strings.Join(row.Choices, ", ")
	case Text:
		return fmt.Sprintf("%d to %d characters", row.Min, row.Max)
	case Key:
		return fmt.Sprintf("%d to %d bytes", row.Min, row.Max)
	default:
		return row.bound(row.Min) + " to " + row.bound(row.Max)
	}
}
