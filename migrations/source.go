package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var files embed.FS

// Script gives the SQL that brings an empty database to the newest version in
// the given schema, for a DBA who gives the service no right to create tables.
// It is one transaction and safe to repeat.
func Script(schema string) string {
	quoted := pgx.Identifier{schema}.Sanitize()
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN;\nCREATE SCHEMA IF NOT EXISTS %s;\nSET LOCAL search_path = %s;\n\n", quoted, quoted)
	for _, v := range versions() {
		fmt.Fprintf(&b, "-- version %d\n%s\n", v, upSQL(v))
	}
	b.WriteString("CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);\n")
	fmt.Fprintf(&b, "INSERT INTO schema_migrations SELECT %d, false WHERE NOT EXISTS (SELECT FROM schema_migrations);\n", Latest())
	b.WriteString("COMMIT;\n\n-- For the role that the service runs as:\n")
	for _, grant := range serviceGrants(schema, "<role>") {
		fmt.Fprintf(&b, "-- %s\n", grant)
	}
	return b.String()
}

// Latest is the newest version that this binary knows.
func Latest() int64 {
	all := versions()
	return all[len(all)-1]
}

// versions lists the versions of the embedded migrations, ascending. The
// names are ours and checked by a test, so a wrong one counts as version 0.
func versions() []int64 {
	names, _ := fs.Glob(files, "sql/*.up.sql")
	out := make([]int64, 0, len(names))
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "sql/"), "_")
		v, _ := strconv.ParseInt(number, 10, 64)
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

func upSQL(version int64) string {
	names, _ := fs.Glob(files, fmt.Sprintf("sql/%d_*.up.sql", version))
	text, _ := files.ReadFile(names[0])
	return string(text)
}
