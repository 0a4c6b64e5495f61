package wire

import "testing"

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		memory, goLimit string
		want            int64
	}{
		{"", "", 0}, // not on Lambda
		{"128", "", 107374182},
		{"10240", "", 8589934592},
		{"128", "100MiB", 0},
		{"128", "off", 0},
		{"0", "", 0},
		{"-1", "", 0},
		{"much", "", 0},
	} {
		if got := memoryLimit(c.memory, c.goLimit); got != c.want {
			t.Errorf("memory %q, GOMEMLIMIT %q: %d, want %d", c.memory, c.goLimit, got, c.want)
		}
	}
}
