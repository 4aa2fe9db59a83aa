//go:build !linux

package lab

import "syscall"

// sysProcAttr puts a child into a process group of its own. Only Linux kills
// it when we die; elsewhere a kill -9 of a test leaves its servers running.
func sysProcAttr(bool) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
