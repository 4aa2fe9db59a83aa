package main

import "syscall"

// sysProcAttr puts a child into a process group of its own, and lets the
// kernel kill it when we die.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
