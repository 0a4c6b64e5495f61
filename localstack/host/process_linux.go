package host

import "syscall"

// dieWithParent has the kernel kill the process when the one that started it ends, even
// by kill -9 or a test's time-out: a server never outlives its tests.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
