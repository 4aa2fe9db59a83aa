package lab

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
)

// moment is a place in the protocol where a fault can strike.
type moment int

const (
	beforeCommit    moment = iota // COMMIT was received, and not forwarded
	afterCommit                   // the server has answered COMMIT; the client has not seen it
	inCopy                        // so many bytes of a COPY were forwarded
	beforeStatement               // a statement was received, and not forwarded
)

// happening is a moment on one connection, with what tells whether a fault is
// meant for it.
type happening struct {
	at     moment
	sql    string // of beforeStatement
	bytes  int64  // of inCopy: those of the COPY, the message at hand included
	copied bool   // the transaction got data by COPY
}

// Fault is something that a proxy does to the connections that come to one
// moment of the protocol: it cuts them, or stalls them until Release.
type Fault struct {
	proxy *Proxy
	at    moment
	stall bool
	bytes int64
	sql   string
	left  int // guarded by proxy.mu

	fired    chan struct{}
	released chan struct{}
	once     sync.Once
}

// CutBeforeCommit cuts the connection when COMMIT comes from the client, before
// the server gets it: the transaction is rolled back. All faults strike the
// given number of times; 0 = always.
func (p *Proxy) CutBeforeCommit(times int) *Fault { return p.arm(&Fault{at: beforeCommit}, times) }

// CutAfterCommit cuts the connection when the server has answered COMMIT,
// before the client sees the answer: the transaction is done, and the client
// cannot know. A COMMIT that ends as ROLLBACK does not count.
func (p *Proxy) CutAfterCommit(times int) *Fault { return p.arm(&Fault{at: afterCommit}, times) }

// CutInCopy cuts the connection after so many bytes of the data of one COPY,
// which may be in the middle of a message. A shorter COPY does not count.
func (p *Proxy) CutInCopy(bytes int64, times int) *Fault {
	return p.arm(&Fault{at: inCopy, bytes: bytes}, times)
}

// CutBefore cuts the connection when a statement that contains the text comes
// from the client, before the server executes it.
func (p *Proxy) CutBefore(sql string, times int) *Fault {
	return p.arm(&Fault{at: beforeStatement, sql: sql}, times)
}

// StallBeforeCommit stops forwarding, in both directions and with both sockets
// open, when COMMIT comes from the client.
func (p *Proxy) StallBeforeCommit(times int) *Fault {
	return p.arm(&Fault{at: beforeCommit, stall: true}, times)
}

// StallAfterCommit stops forwarding when the server has answered COMMIT.
func (p *Proxy) StallAfterCommit(times int) *Fault {
	return p.arm(&Fault{at: afterCommit, stall: true}, times)
}

// StallInCopy stops forwarding after so many bytes of the data of one COPY.
func (p *Proxy) StallInCopy(bytes int64, times int) *Fault {
	return p.arm(&Fault{at: inCopy, stall: true, bytes: bytes}, times)
}

// StallBefore stops forwarding when a statement that contains the text comes
// from the client, before the server executes it.
func (p *Proxy) StallBefore(sql string, times int) *Fault {
	return p.arm(&Fault{at: beforeStatement, stall: true, sql: sql}, times)
}

// Fired gives one value each time the fault has struck: the connection is cut
// or stalled by then.
func (f *Fault) Fired() <-chan struct{} { return f.fired }

// Wait waits until the fault has struck, once more than Wait and Fired have
// told so far.
func (f *Fault) Wait(ctx context.Context) error {
	select {
	case <-f.fired:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Disarm lets the fault strike no more. What it has stalled stays so.
func (f *Fault) Disarm() {
	f.proxy.mu.Lock()
	defer f.proxy.mu.Unlock()
	f.left = 0
	f.proxy.faults = slices.DeleteFunc(f.proxy.faults, func(g *Fault) bool { return g == f })
}

// Release disarms the fault, and lets what it has stalled go on.
func (f *Fault) Release() {
	f.Disarm()
	f.once.Do(func() { close(f.released) })
}

func (p *Proxy) arm(f *Fault, times int) *Fault {
	f.proxy, f.left = p, times
	f.fired, f.released = make(chan struct{}, 1024), make(chan struct{})
	if times <= 0 {
		f.left = math.MaxInt
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	return f
}

// take gives the first fault that is to strike, nil if none is, and counts it.
func (p *Proxy) take(h happening) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if !f.meant(h, p.copies) {
			continue
		}
		if f.left--; f.left == 0 {
			p.faults = slices.Delete(p.faults, i, i+1)
		}
		return f
	}
	return nil
}

func (f *Fault) meant(h happening, copies bool) bool {
	switch {
	case f.at != h.at:
		return false
	case h.at == inCopy:
		return h.bytes > f.bytes
	case h.at == beforeStatement:
		return strings.Contains(h.sql, f.sql)
	default:
		return h.copied || !copies
	}
}

// strike cuts or stalls the connection. It gives false when the connection is
// no more.
func (f *Fault) strike(l *link) bool {
	if f.stall {
		l.gate.Store(&f.released)
	} else {
		l.cut()
	}
	select {
	case f.fired <- struct{}{}:
	default: // nobody counts beyond a thousand
	}
	return l.pass()
}
