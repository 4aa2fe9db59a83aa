package lab

import (
	"os"
	"sync"
	"testing"
)

// shared holds the servers that all tests of a binary use together.
type shared struct {
	postgres lazy[*Postgres]
	kafka    lazy[*Kafka]
}

// lazy is made by the first that asks; its failure is told to all.
type lazy[T any] struct {
	once  sync.Once
	value T
	err   error
}

func (l *lazy[T]) get(t testing.TB, start func() (T, error)) T {
	t.Helper()
	l.once.Do(func() { l.value, l.err = start() })
	Require(t, l.err)
	return l.value
}

// theShared gives the current lab's shared servers.
func theShared(t testing.TB) *shared {
	t.Helper()
	_, err := the()
	Require(t, err)
	current.Lock()
	defer current.Unlock()
	return current.shared
}

// SharedPostgres gives the one server of this test binary, started on first
// use: the installed one, or the version that SINKD_LAB_POSTGRES names (14 to
// 18). A test that stops or restarts its server starts one for itself.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	return theShared(t).postgres.get(t, func() (*Postgres, error) {
		return StartPostgres(PostgresOptions{Version: os.Getenv("SINKD_LAB_POSTGRES")})
	})
}
