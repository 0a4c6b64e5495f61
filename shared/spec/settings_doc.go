package spec

import (
	"fmt"
	"strings"
)

// SettingsMarkdown is the table of settings for the docs.
func SettingsMarkdown() string { return markdown("variable", Table) }

// DeploymentMarkdown is the table of the settings of a deployment for the docs.
func DeploymentMarkdown() string { return markdown("key", DeploymentTable) }

func markdown[S any](what string, table []Row[S]) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | kind | default | allowed | meaning |\n|---|---|---|---|---|\n", what)
	for i := range table {
		row := &table[i]
		def := "none"
		if row.Default != "" {
			def = "`" + row.Default + "`"
		}
		if row.OnLocalStack != "" {
			def += "; on LocalStack `" + row.OnLocalStack + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", row.Key, row.Kind, def, row.Allowed(), row.Meaning)
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
func (row *Row[S]) Allowed() string {
	if len(row.Choices) > 0 {
		return strings.Join(row.Choices, ", ")
	}
	switch row.Kind {
	case Flag:
		return "true, false"
	case Text:
		return fmt.Sprintf("%d to %d characters: %s", row.Min, row.Max, row.Pattern.Words)
	case List:
		return fmt.Sprintf("%d to %d of %s", row.Min, row.Max, row.Pattern.Words)
	case Key:
		return fmt.Sprintf("%d to %d bytes", row.Min, row.Max)
	default:
		return row.bound(row.Min) + " to " + row.bound(row.Max)
	}
}
