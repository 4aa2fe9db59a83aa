package lab

import "syscall"

// sysProcAttr puts a child into a process group of its own, so that Ctrl-C in
// a terminal reaches only us, and lets the kernel kill it when we die.
func sysProcAttr(die bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if die {
		attr.Pdeathsig = syscall.SIGKILL
	}
	return attr
}
