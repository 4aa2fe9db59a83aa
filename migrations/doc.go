// Package migrations owns the bookkeeping schema: the embedded SQL that makes
// it, and how it is applied. It is the only importer of golang-migrate. It
// never touches a table that is not sinkd's own, and nothing else in the
// product changes the bookkeeping schema's shape.
//
// A migration is one transaction and safe to repeat. So a version that a
// killed process or a lost connection left dirty is repaired by doing it
// again, and as many replicas as there are may start at once.
package migrations
