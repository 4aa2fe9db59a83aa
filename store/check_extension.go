package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

const (
	extendedSQL = `SELECT to_regclass('timescaledb_information.dimensions') IS NOT NULL, to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL`

	// hypertableSQL gives the columns that a hypertable is cut by.
	hypertableSQL = `
SELECT array_agg(d.column_name::text ORDER BY d.dimension_number)
  FROM timescaledb_information.dimensions d JOIN pg_class c ON c.relname = d.hypertable_name
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = d.hypertable_schema
 WHERE c.oid = $1 AND $2::text[] IS NOT NULL
HAVING count(*) > 0`

	// distributedSQL gives the column that Citus distributes a table by, or that
	// it keeps it whole.
	distributedSQL = `
SELECT ARRAY[p.partmethod::text, CASE WHEN p.partmethod <> 'n' THEN column_to_column_name(p.logicalrelid, p.partkey)::text ELSE '' END]
  FROM pg_catalog.pg_dist_partition p WHERE p.logicalrelid = $1::oid AND $2::text[] IS NOT NULL`
)

// extensions gives what is looked at where an extension is there.
func extensions(ctx context.Context, conn *pgx.Conn) (all []limit, err error) {
	var timescale, citus bool
	err = conn.QueryRow(ctx, extendedSQL).Scan(&timescale, &citus)
	if timescale {
		all = append(all, limit{hypertableSQL, tellHypertable})
	}
	if citus {
		all = append(all, limit{distributedSQL, tellDistributed})
	}
	return all, err
}

func tellHypertable(_ *sinkd.Table, of []string) Finding {
	return noted("it is a hypertable of Timescale, cut by ", strings.Join(of, ", "),
		": the key of upsert and ignore mode has to hold these columns, and rows that fall into compressed chunks are written more slowly, or refused by old versions")
}

func tellDistributed(_ *sinkd.Table, of []string) Finding {
	if of[0] == "n" {
		return noted("it is a reference table of Citus: each row is written on all workers, in the batch's transaction")
	}
	return noted("it is distributed by Citus, by ", of[1],
		": the key of upsert and ignore mode has to hold that column, and a record without it is refused")
}
