package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort gives a port on loopback that nobody listens on. It stays clear of
// the range from which the kernel takes the ports of outgoing connections:
// there, while a server is down, one of its clients that keeps trying could be
// given the server's own port and find itself connected to itself.
func freePort() (int, error) {
	for range 200 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", loopback(port)) //nolint:noctx // does not wait
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
		return port, nil
	}
	return 0, fmt.Errorf("no free port between 10000 and 32000")
}

// FreeAddr gives an address of loopback that nobody listens on, for a server of
// the caller's own, out of the same range.
func FreeAddr() (string, error) {
	port, err := freePort()
	return loopback(port), err
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
