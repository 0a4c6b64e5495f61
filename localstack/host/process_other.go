//go:build !linux

package host

import "syscall"

// dieWithParent does nothing here: only Linux can tie a process to its parent. A test
// binary that is killed leaves its servers running.
func dieWithParent(*syscall.SysProcAttr) {}
