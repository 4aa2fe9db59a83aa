package store

import (
	"fmt"
	"strings"

	"github.com/sinkd/sinkd"
)

// ProposalSQL gives the DDL of a proposed table as a script that can be run,
// what is not sure about it in comments. Where the mode is append, the key is a
// comment, too: there a key that comes again would be refused.
func ProposalSQL(schema, name string, mode sinkd.Mode, p *sinkd.Proposal) string {
	var b strings.Builder
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "-- %s\n", note)
	}
	table := quote(schema, name)
	if schema != "public" {
		fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s;\n", quote(schema))
	}
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", table)
	keyed := len(p.Key) > 0 && (mode == sinkd.Upsert || mode == sinkd.Ignore)
	for i := range p.Columns {
		b.WriteString(proposedSQL(&p.Columns[i], keyed || i+1 < len(p.Columns)))
	}
	if keyed {
		fmt.Fprintf(&b, "    PRIMARY KEY (%s)\n", names(p.Key, ""))
	}
	b.WriteString(");\n")
	if len(p.Key) > 0 && !keyed && !strings.ContainsAny(strings.Join(p.Key, ""), "\r\n") {
		fmt.Fprintf(&b, "-- for SINKD_MODE=upsert or ignore:\n-- ALTER TABLE %s ADD PRIMARY KEY (%s);\n", table, names(p.Key, ""))
	}
	return b.String()
}

// proposedSQL is the line of one column.
func proposedSQL(c *sinkd.ProposedColumn, more bool) string {
	line := "    " + quote(c.Name) + " " + c.Type
	if c.NotNull {
		line += " NOT NULL"
	}
	if more {
		line += ","
	}
	if len(c.Notes) > 0 {
		line += " -- " + strings.Join(c.Notes, "; ")
	}
	return line + "\n"
}
