package main

import (
	"fmt"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/migrations"
)

// migrateCommand makes, shows and removes the bookkeeping tables.
type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Bring the bookkeeping tables to this version."`
	Down   migrateDown   `cmd:"" help:"Remove the bookkeeping tables, and with them all positions."`
	Status migrateStatus `cmd:"" help:"Print the version of the bookkeeping tables; 1 if it is not this binary's."`
}

// migrateUp is migrate up.
type migrateUp struct {
	Print bool `help:"Print the SQL in place of running it, for whoever may run it."`
}

// Help shows an example.
func (migrateUp) Help() string {
	return "Needs SINKD_DATABASE_URL only. run does the same at its start; it is apart for those who give the service no right to create tables.\n\nExample:\n\n    sinkd migrate up --print | psql -U owner app"
}

// Run migrates, or prints the SQL.
func (m migrateUp) Run(p *program) error {
	if m.Print {
		c, err := p.books(config.Nothing)
		if err != nil {
			return err
		}
		p.printf("%s", migrations.Script(c.Schema))
		return nil
	}
	c, url, err := p.target()
	if err != nil {
		return err
	}
	defer p.at("bringing schema " + c.Schema + " up to date, or waiting for another process that does")()
	if err := migrations.Up(p.ctx, url, c.Schema); err != nil {
		return database(err)
	}
	return migrateStatus{}.Run(p)
}

// migrateDown is migrate down.
type migrateDown struct {
	Yes bool `help:"Do it without asking."`
}

// Help shows an example.
func (migrateDown) Help() string {
	return "Removes positions, ledger, dead letters and incidents of all pipelines in SINKD_SCHEMA. The next run begins at SINKD_START, into tables that already hold rows.\n\nExample:\n\n    sinkd migrate down --yes"
}

// Run removes the tables.
func (m migrateDown) Run(p *program) error {
	c, url, err := p.target()
	if err != nil {
		return err
	}
	if err := p.confirm(m.Yes, "migrate down forgets the positions of all pipelines in schema "+c.Schema); err != nil {
		return err
	}
	defer p.at("removing the tables of schema " + c.Schema)()
	if err := migrations.Down(p.ctx, url, c.Schema); err != nil {
		return database(err)
	}
	p.printf("the bookkeeping tables of schema %s are gone\n", c.Schema)
	return nil
}

// migrateStatus is migrate status.
type migrateStatus struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// migrated is what migrate status prints as JSON.
type migrated struct {
	Schema  string `json:"schema"`
	Version int64  `json:"version"`
	Latest  int64  `json:"latest"`
	// State is missing, cut off, too new, old or current.
	State string `json:"state"`
}

// Help shows an example.
func (migrateStatus) Help() string { return "Example:\n\n    sinkd migrate status" }

// Run prints the version that is there.
func (m migrateStatus) Run(p *program) error {
	c, url, err := p.target()
	if err != nil {
		return err
	}
	ctx, cancel := within(p.ctx)
	defer cancel()
	v, err := migrations.Status(ctx, url, c.Schema)
	if err != nil {
		return database(err)
	}
	state, text := describe(v)
	if m.JSON {
		err = printJSON(p.stdout, migrated{c.Schema, v.Current, v.Latest, state})
	} else {
		p.printf("schema %s: %s\n", c.Schema, text)
	}
	if err == nil && state != "current" {
		err = errFound
	}
	return err
}

// describe says in a word, and in a line for people, how far the schema is.
func describe(v migrations.Version) (state, text string) {
	switch {
	case v.Current == 0:
		return "missing", "no bookkeeping tables; run sinkd migrate up"
	case v.Dirty:
		return "cut off", fmt.Sprintf("version %d was cut off; run sinkd migrate up to repair it", v.Current)
	case v.MinSchema > v.Latest:
		return "too new", fmt.Sprintf("version %d needs sinkd %s or later", v.Current, v.MinBinary)
	case v.Current < v.Latest:
		return "old", fmt.Sprintf("version %d of %d; run sinkd migrate up", v.Current, v.Latest)
	}
	return "current", fmt.Sprintf("version %d, up to date", v.Current)
}

// target gives the database to migrate. A store judges the URL best, and
// connects nowhere.
func (p *program) target() (*config.Config, string, error) {
	c, err := p.books(config.Database)
	if err != nil {
		return nil, "", err
	}
	if _, err := openStore(c); err != nil {
		return nil, "", err
	}
	url, err := c.DatabaseURL()
	return c, url, err
}
