package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Database makes an empty database on the shared server for one test, which is
// dropped at its end, and gives the superuser's URL for it.
func Database(t testing.TB) string {
	t.Helper()
	return SharedPostgres(t).Database(t)
}

// Database makes an empty database for one test, which is dropped at its end,
// and gives the superuser's URL for it.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name := uniqueName(t)
	if err := p.Exec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// Where the test ended the server there is nothing to drop.
		_ = execOn(ctx, p.URL(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	return p.url(name)
}

// uniqueName makes a name out of a test's that is not used elsewhere and needs
// no quotes, neither in SQL nor as a topic.
func uniqueName(t testing.TB) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, t.Name())
	return fmt.Sprintf("t_%.40s_%08x", name, rand.Uint32())
}
