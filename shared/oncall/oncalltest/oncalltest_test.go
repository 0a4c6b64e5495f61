package oncalltest

import "testing"

func TestMemory(t *testing.T) {
	m := new(Memory)
	TestObject(t, func(*testing.T) Object { return m })
}
