package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Exec runs one SQL text on a connection of its own, as superuser.
func (p *Postgres) Exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return execOn(ctx, p.URL(), sql)
}

func execOn(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func queryOn[T any](ctx context.Context, url, sql string) (T, error) {
	var value T
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}

// Until asks a question until the answer is true, for a minute.
func (p *Postgres) Until(question string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if yes, err := queryOn[bool](ctx, p.URL(), question); err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: not true within a minute: %s", question)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
