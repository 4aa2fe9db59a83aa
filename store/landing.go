package store

import "github.com/sinkd/sinkd"

// LandingSQL gives the statement by which Table would create the topic's table.
func (s *Store) LandingSQL(r *sinkd.Route, topic string) string {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
	return s.landingSQL(t) + ";"
}

// NoBooks tells of an error that there are no bookkeeping tables yet.
func NoBooks(err error) bool {
	e := Classify(err)
	return e != nil && (e.SQLState == undefinedTable || e.SQLState == invalidSchemaName)
}
