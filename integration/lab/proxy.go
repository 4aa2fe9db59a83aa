package lab

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands in front of a Postgres server, understands its protocol, and
// does to the connections what Fault says, at the moment it says. Connections
// are not encrypted.
type Proxy struct {
	addr    string
	latency atomic.Int64

	mu       sync.Mutex
	target   string
	prefix   string
	copies   bool
	listener net.Listener // nil while connections are refused
	links    map[*link]struct{}
	faults   []*Fault
	frozen   chan struct{} // nil, or closed when it thaws
	closed   bool

	wg sync.WaitGroup
}

// StartProxy starts a proxy that ends with the current lab. The target is
// host:port or the URL of a server.
func StartProxy(target string) (*Proxy, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	return l.StartProxy(target)
}

// StartProxy starts a proxy that ends with the lab. The target is host:port or
// the URL of a server.
func (l *Lab) StartProxy(target string) (*Proxy, error) {
	p := &Proxy{links: make(map[*link]struct{})}
	if err := p.SetTarget(target); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p.addr = loopback(port)
	if err := p.Accept(); err != nil {
		return nil, err
	}
	if err := l.onClose(p.Close); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Addr is host:port of the proxy.
func (p *Proxy) Addr() string { return p.addr }

// URL gives a URL of the server changed so that it leads through the proxy.
func (p *Proxy) URL(direct string) string {
	u, err := url.Parse(direct)
	if err != nil {
		panic(fmt.Sprintf("lab: proxy: %v", err)) // a mistake in the test itself
	}
	u.Host = p.addr
	return u.String()
}

// SetTarget lets new connections go to another server, such as a standby that
// was promoted.
func (p *Proxy) SetTarget(target string) error {
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil {
			return fmt.Errorf("proxy: the target is no URL: %w", errors.Unwrap(err))
		}
		target = u.Host
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	return nil
}

// Match limits the faults to new connections whose application_name, as their
// startup message gives it, begins with prefix.
func (p *Proxy) Match(prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefix = prefix
}

// MatchCopies limits the faults at COMMIT to transactions that got data by
// COPY, which leaves out claims, migrations and queries.
func (p *Proxy) MatchCopies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copies = true
}

// Latency delays each burst of data by d in each direction.
func (p *Proxy) Latency(d time.Duration) { p.latency.Store(int64(d)) }

// Refuse lets new connections be refused, as if no server were there. Those
// that exist stay; CutAll ends them.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Accept ends Refuse.
func (p *Proxy) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", p.addr) //nolint:noctx // does not wait
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.listener = listener
	p.wg.Go(func() { p.serve(listener) })
	return nil
}

// Freeze stops forwarding on all connections, also new ones, and keeps them
// open: a network that loses everything. Thaw ends it.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// CutAll cuts all connections, stalled and frozen ones too.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Connections tells how many connections are open.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Close ends the proxy with all its connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Refuse()
	p.CutAll()
	p.wg.Wait()
}

func (p *Proxy) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l := &link{proxy: p, client: client, closed: make(chan struct{})}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			l.cut()
			return
		}
		p.links[l] = struct{}{}
		p.wg.Go(l.run)
		p.mu.Unlock()
	}
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
