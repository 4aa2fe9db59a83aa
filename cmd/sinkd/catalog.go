package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// catalog finds the table of a topic by its route.
type catalog struct {
	store  *store.Store
	routes []*sinkd.Route

	mu sync.Mutex
	// takers are the routes by the tables that they write.
	takers map[string]*sinkd.Route
}

func newCatalog(s *store.Store, routes []*sinkd.Route) *catalog {
	return &catalog{store: s, routes: routes, takers: map[string]*sinkd.Route{}}
}

// Table gives the topic's table, and makes it where its route says so. A table
// that another route writes is refused: the names that a pattern gives are not
// known before its topics are.
func (c *catalog) Table(ctx context.Context, topic string) (*sinkd.Table, error) {
	r := sinkd.RouteOf(c.routes, topic)
	if err := c.take(r, topic); err != nil {
		return nil, err
	}
	return c.store.Table(ctx, r, topic)
}

// Extend adds columns to the topic's table.
func (c *catalog) Extend(ctx context.Context, topic string, columns []sinkd.NewColumn) error {
	return c.store.Extend(ctx, sinkd.RouteOf(c.routes, topic), topic, columns)
}

// take notes that the route writes the topic's table.
func (c *catalog) take(r *sinkd.Route, topic string) error {
	schema, name := r.Table(topic)
	table := schema + "." + name
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.takers[table]; other != nil && other != r {
		return &sinkd.Error{
			Class: sinkd.Configuration, Kind: sinkd.Refused, Topic: topic, Table: table,
			Err:  fmt.Errorf("table %s: topic %s and another route would both go into it", table, topic),
			Hint: "give one of them another table in SINKD_ROUTES, or make them one route",
		}
	}
	c.takers[table] = r
	return nil
}
