package lab_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// commits are the ways in which COMMIT may come, each after an insert.
var commits = map[string]func(context.Context, *pgconn.PgConn) error{
	"simple": func(ctx context.Context, c *pgconn.PgConn) error {
		if _, err := c.Exec(ctx, "BEGIN; INSERT INTO t VALUES ('a')").ReadAll(); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "commit;").ReadAll()
		return err
	},
	"one text": func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, "BEGIN; INSERT INTO t VALUES ('a'); COMMIT").ReadAll()
		return err
	},
	"pipeline": func(ctx context.Context, c *pgconn.PgConn) error {
		p := c.StartPipeline(ctx)
		p.SendQueryParams("BEGIN", nil, nil, nil, nil)
		p.SendQueryParams("INSERT INTO t VALUES ('a')", nil, nil, nil, nil)
		p.SendQueryParams("COMMIT", nil, nil, nil, nil)
		return finish(p)
	},
	"prepared": func(ctx context.Context, c *pgconn.PgConn) error {
		if _, err := c.Prepare(ctx, "done", "COMMIT", nil); err != nil {
			return err
		}
		p := c.StartPipeline(ctx)
		p.SendQueryParams("BEGIN", nil, nil, nil, nil)
		p.SendQueryParams("INSERT INTO t VALUES ('a')", nil, nil, nil, nil)
		p.SendQueryPrepared("done", nil, nil, nil)
		return finish(p)
	},
}

// finish syncs a pipeline and reads it to its end.
func finish(p *pgconn.Pipeline) error {
	if err := p.Sync(); err != nil {
		_ = p.Close()
		return err
	}
	return p.Close()
}

func TestProxyCutsAroundCommit(t *testing.T) {
	t.Parallel()
	for name, commit := range commits {
		t.Run("before/"+name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f := b.CutBeforeCommit(1)
			if err := commit(t.Context(), b.through(t)); err == nil {
				t.Error("the commit was answered")
			}
			wait(t, f)
			if got := b.rows(t); got != "0" {
				t.Errorf("%s rows, want none", got)
			}
			if err := commit(t.Context(), b.through(t)); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
		t.Run("after/"+name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f := b.CutAfterCommit(2)
			for range 2 {
				if err := commit(t.Context(), b.through(t)); err == nil {
					t.Error("the commit was answered")
				}
				wait(t, f)
			}
			if got := b.rows(t); got != "2" {
				t.Errorf("%s rows, want 2", got)
			}
			if err := commit(t.Context(), b.through(t)); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

func TestProxyDoesNotCountARollback(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.CutAfterCommit(1)
	conn := b.through(t)
	_, _ = conn.Exec(t.Context(), "BEGIN; SELECT 1/0").ReadAll()
	if tag, err := conn.Exec(t.Context(), "COMMIT").ReadAll(); err != nil || tag[0].CommandTag.String() != "ROLLBACK" {
		t.Fatal(tag, err)
	}
	select {
	case <-f.Fired():
		t.Error("the fault struck")
	default:
	}
}
