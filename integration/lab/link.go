package lab

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// link is one client's connection through a proxy.
type link struct {
	proxy  *Proxy
	client net.Conn
	// matched tells that faults strike here.
	matched bool
	// copied tells that the transaction in progress got data by COPY.
	copied atomic.Bool

	mu     sync.Mutex
	server net.Conn // nil until the startup message was read

	gate   atomic.Pointer[chan struct{}] // nothing is forwarded until it is closed
	once   sync.Once
	closed chan struct{}
}

// run forwards both directions until one of them ends.
func (l *link) run() {
	defer l.proxy.forget(l)
	defer l.cut()
	from := bufio.NewReaderSize(delayed{l, l.client}, 1<<17)
	start, err := readStartup(from, l.client)
	if err != nil || !l.pass() || !l.dial() {
		return
	}
	if _, err := l.server.Write(start.raw); err != nil {
		return
	}
	l.proxy.mu.Lock()
	l.matched = strings.HasPrefix(start.application, l.proxy.prefix)
	l.proxy.mu.Unlock()

	back := make(chan struct{})
	go func() {
		defer close(back)
		defer l.cut()
		l.backward(bufio.NewReaderSize(delayed{l, l.server}, 1<<17))
	}()
	if !start.cancel { // whose connection the server closes when it is done
		newForward(l, from).run()
		l.cut()
	}
	<-back
}

// dial connects to the server.
func (l *link) dial() bool {
	l.proxy.mu.Lock()
	target := l.proxy.target
	l.proxy.mu.Unlock()
	server, err := net.DialTimeout("tcp", target, 10*time.Second) //nolint:noctx // bounded by its timeout
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		_ = server.Close()
		return false
	default:
		l.server = server
		return true
	}
}

// cut closes both sides.
func (l *link) cut() {
	l.once.Do(func() {
		close(l.closed)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.server != nil {
			_ = l.server.Close()
		}
		_ = l.client.Close()
	})
}

// pass waits as long as the connection is stalled or frozen. It gives false
// when the connection is no more.
func (l *link) pass() bool {
	if gate := l.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-l.closed:
		}
	}
	l.proxy.mu.Lock()
	frozen := l.proxy.frozen
	l.proxy.mu.Unlock()
	if frozen != nil {
		select {
		case <-frozen:
		case <-l.closed:
		}
	}
	select {
	case <-l.closed:
		return false
	default:
		return true
	}
}

// take gives the fault that is to strike this connection now.
func (l *link) take(h happening) *Fault {
	h.copied = l.copied.Load()
	if !l.matched {
		return nil
	}
	return l.proxy.take(h)
}

// delayed is a connection whose reads come late by the proxy's latency.
type delayed struct {
	link *link
	net.Conn
}

func (d delayed) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if wait := time.Duration(d.link.proxy.latency.Load()); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-d.link.closed:
		}
	}
	return n, err
}
