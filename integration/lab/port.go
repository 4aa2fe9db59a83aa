package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports are drawn from here. It stays clear of the range from which the kernel
// takes the ports of outgoing connections: there, while a server is down, one of
// its clients that keeps trying could be given the server's own port and find
// itself connected to itself.
const firstPort, lastPort = 10000, 32000

// given are the ports that this process has been given. To other programs the
// byte of a port in a file is locked as long as the process lives: between the
// draw and the start of a server, and while it is down, nobody listens.
var given struct {
	sync.Mutex
	ports map[int]bool
	file  *os.File
}

// freePort gives a port on loopback that nobody listens on, and that no lab is
// given again as long as this process lives.
func freePort() (int, error) { return drawPort(firstPort, lastPort) }

// drawPort is freePort for the ports from first up to last, which is none of
// them.
func drawPort(first, last int) (int, error) {
	given.Lock()
	defer given.Unlock()
	if given.file == nil {
		dir, err := cacheDir()
		if err != nil {
			return 0, err
		}
		if given.file, err = os.OpenFile(filepath.Join(dir, "ports"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return 0, err
		}
		given.ports = make(map[int]bool)
	}
	for range 200 {
		port := first + rand.IntN(last-first)
		if given.ports[port] {
			continue
		}
		own := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(port), Len: 1}
		if syscall.FcntlFlock(given.file.Fd(), syscall.F_SETLK, &own) != nil {
			continue // another program's
		}
		given.ports[port] = true
		l, err := net.Listen("tcp", loopback(port)) //nolint:noctx // does not wait
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port from %d up to %d", first, last)
}

// FreeAddr gives an address of loopback that nobody listens on, for a server of
// the caller's own, out of the same range.
func FreeAddr() (string, error) {
	port, err := freePort()
	return loopback(port), err
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
