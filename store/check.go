package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Finding is one thing that was checked.
type Finding struct {
	// Name is what was checked.
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Note tells, of what is OK, that people should know of it.
	Note bool `json:"note,omitempty"`
	// Detail is what was found, Fix what to do about it.
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
	// Shared tells that a pooler is in the way of all else.
	Shared bool `json:"-"`
}

// oldest is the oldest server that is supported, as server_version_num.
const oldest = 140000

// Check looks at the server, the session and the role's rights. It changes
// nothing. A database that cannot be reached is the first and only finding.
func (s *Store) Check(ctx context.Context) []Finding {
	var findings []Finding
	checks := []func(context.Context, *pgx.Conn) (Finding, error){checkVersion, checkDurable, s.checkTemporary}
	if !s.cfg.Idempotent {
		checks = slices.Insert(checks, 3, s.checkBookkeeping)
	}
	err := s.control.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		for _, check := range checks {
			f, err := check(ctx, conn)
			if err != nil {
				return err
			}
			findings = append(findings, f)
		}
		return nil
	})
	if err != nil {
		return append(findings, Finding{Name: "postgres", Detail: err.Error()})
	}
	return append([]Finding{{Name: "postgres", OK: true, Detail: "reached, and takes writes"}}, findings...)
}

func checkVersion(ctx context.Context, conn *pgx.Conn) (Finding, error) {
	f := Finding{Name: "version"}
	var number int
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version')`).Scan(&number, &f.Detail)
	if f.OK = number >= oldest; !f.OK {
		f.Fix = "PostgreSQL 14 or later is needed"
	}
	return f, err
}

// checkDurable looks for settings of the server with which a crash loses what
// was committed.
func checkDurable(ctx context.Context, conn *pgx.Conn) (Finding, error) {
	f := Finding{Name: "durability", OK: true, Detail: "commits outlive a crash of the server"}
	var off []string
	err := conn.QueryRow(ctx, `
		SELECT coalesce(array_agg(name || ' = off' ORDER BY name), '{}') FROM pg_settings
		 WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'`).Scan(&off)
	if len(off) > 0 {
		f.Note, f.Detail = true, strings.Join(off, " and ")+": a crash of the server may lose or damage what was committed, positions as well as rows"
	}
	return f, err
}

func (s *Store) checkTemporary(ctx context.Context, conn *pgx.Conn) (Finding, error) {
	f := Finding{Name: "temporary tables"}
	var database, role string
	err := conn.QueryRow(ctx, `SELECT has_database_privilege(current_database(), 'TEMP'), current_database(), current_user`).
		Scan(&f.OK, &database, &role)
	if f.Detail = "may be made"; !f.OK {
		f.Detail = "no right to make them, which upserts need"
		f.Fix = fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s;", quote(database), quote(role))
	}
	return f, err
}

// checkBookkeeping looks for the rights on the bookkeeping tables, and where
// there are none yet, for the right to make them.
func (s *Store) checkBookkeeping(ctx context.Context, conn *pgx.Conn) (Finding, error) {
	f := Finding{Name: "bookkeeping"}
	var tables int
	var usage bool
	var lacking []string
	err := conn.QueryRow(ctx, `
		SELECT count(c.oid), coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')), false),
		       coalesce(array_agg(c.relname::text ORDER BY c.relname) FILTER (WHERE NOT (has_table_privilege(c.oid, 'SELECT')
		           AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
		           AND has_table_privilege(c.oid, 'DELETE'))), '{}')
		  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE n.nspname = $1 AND c.relkind = 'r'`, s.cfg.Schema).Scan(&tables, &usage, &lacking)
	switch {
	case err != nil:
		return f, err
	case tables == 0:
		return s.checkMaking(ctx, conn)
	case !usage || len(lacking) > 0:
		f.Detail = "rights are missing on schema " + s.schema + ": " + strings.Join(lacking, ", ")
		f.Fix = s.hintOwn(&pgconn.PgError{Code: insufficientPrivilege})
	default:
		f.OK, f.Detail = true, fmt.Sprintf("%d tables in schema %s", tables, s.schema)
	}
	return f, nil
}

// checkMaking looks for the right to make the bookkeeping tables.
func (s *Store) checkMaking(ctx context.Context, conn *pgx.Conn) (Finding, error) {
	f := Finding{Name: "bookkeeping"}
	var schema bool
	var database, role string
	err := conn.QueryRow(ctx, `
		SELECT n.oid IS NOT NULL,
		       CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
		            ELSE has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') END,
		       current_database(), current_user
		  FROM (SELECT) AS one LEFT JOIN pg_namespace n ON n.nspname = $1`, s.cfg.Schema).Scan(&schema, &f.OK, &database, &role)
	role = quote(role)
	switch {
	case f.OK:
		f.Note, f.Detail = true, "no tables in schema "+s.schema+" yet: `sinkd run` makes them, or `sinkd migrate up`"
	case schema:
		f.Detail = "no tables in schema " + s.schema + " yet, and no right to make them"
		f.Fix = fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", s.schema, role)
	default:
		f.Detail = "no schema " + s.schema + " yet, and no right to make it"
		f.Fix = fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s; or make it: CREATE SCHEMA %s AUTHORIZATION %s;",
			quote(database), role, s.schema, role)
	}
	return f, err
}
