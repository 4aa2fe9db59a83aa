package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is CPU time, spent until some moment or between two.
type usage struct {
	postgres, broker, self time.Duration
	// machine is what all processors were busy with, stolen time included.
	machine time.Duration
}

// usage reads what was spent until now. Outside of Linux it is all zero.
func (b *bench) usage() usage {
	return usage{
		postgres: treeTime(b.postgres.Pid()), broker: ownTime(b.kafka.Pid()),
		self: selfTime(), machine: machineTime(),
	}
}

func (u usage) since(before usage) usage {
	return usage{
		postgres: u.postgres - before.postgres, broker: u.broker - before.broker,
		self: u.self - before.self, machine: u.machine - before.machine,
	}
}

// ticks is the unit of /proc: USER_HZ, which is 100 wherever Linux has a /proc
// that is told to programs.
func ticks(n int64) time.Duration { return time.Duration(n) * (time.Second / 100) }

// stat gives the numbers of /proc/PID/stat from the third on, the parent's
// process id being the second of them.
func stat(pid string) []string {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return nil
	}
	// The program's name comes before, in parentheses, and may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 15 {
		return nil
	}
	return fields
}

// spent sums user and system time, and those of children that have ended.
func spent(fields []string, children bool) time.Duration {
	if fields == nil {
		return 0
	}
	last := 13
	if children {
		last = 15
	}
	var sum int64
	for _, f := range fields[11:last] {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += n
	}
	return ticks(sum)
}

func ownTime(pid int) time.Duration { return spent(stat(strconv.Itoa(pid)), false) }

// treeTime is the time of a process and its children, those that have ended
// included: a postmaster's sessions.
func treeTime(pid int) time.Duration {
	parent := strconv.Itoa(pid)
	sum := spent(stat(parent), true)
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if fields := stat(filepath.Base(dir)); fields != nil && fields[1] == parent {
			sum += spent(fields, false)
		}
	}
	return sum
}

// machineTime reads the first line of /proc/stat: user, nice, system, idle,
// iowait, irq, softirq, steal.
func machineTime() time.Duration {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	var sum int64
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += n
	}
	return ticks(sum)
}

func selfTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// settle waits until the machine has little to do, but not for ever.
func (b *bench) settle(ctx context.Context) {
	const look = 250 * time.Millisecond
	for end := time.Now().Add(b.opts.settle); time.Now().Before(end); {
		before := machineTime()
		if !sleep(ctx, look) {
			return
		}
		if machineTime()-before <= look*time.Duration(runtime.NumCPU())/10 {
			return
		}
	}
}

// highWater gives the most resident memory that a process had so far, in
// bytes; 0 where that cannot be told.
func highWater(pid int) int64 {
	b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	_, rest, found := strings.Cut(string(b), "VmHWM:")
	if !found {
		return 0
	}
	kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return kb << 10
}
