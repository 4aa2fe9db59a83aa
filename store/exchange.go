package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// maxPrepared bounds the statements that a session keeps; those beyond are
// parsed each time.
const maxPrepared = 256

// request is one statement of an exchange.
type request struct {
	sql  string
	args []any
	// load is whose rows the statement is about, nil of bookkeeping.
	load *load
	// sense is what the rows that it counts are to the load's balance: 0 =
	// nothing, and tally how it tells them.
	sense int
	tally tally
	// at is when its answer came, where that is wanted: the server is then asked
	// for it at once, where otherwise it answers at the end.
	at *time.Time
}

// prepare prepares statements in one round trip.
func (l *lane) prepare(ctx context.Context, texts ...string) error {
	p := l.conn.StartPipeline(ctx)
	names := make([]string, len(texts))
	for i, sql := range texts {
		names[i] = l.name()
		p.SendPrepare(names[i], l.store.in(sql), nil)
	}
	err := p.Sync()
	for i, sql := range texts {
		if err != nil {
			break
		}
		var result any
		result, err = p.GetResults()
		if d, ok := result.(*pgconn.StatementDescription); ok {
			d.Name = names[i]
			l.prepared[sql] = d
		}
	}
	if closed := p.Close(); err == nil {
		err = closed
	}
	return err
}

// name makes a name for a statement that is new to the session.
func (l *lane) name() string {
	l.named++
	return "sinkd" + strconv.Itoa(l.named)
}

// exchange runs the statements in one round trip with one Sync, so that an
// error skips those behind it. The results are those that were answered, also
// where there is an error. Statements on users' tables are prepared on the way
// where they are new.
func (l *lane) exchange(ctx context.Context, requests ...request) ([]*pgconn.Result, error) {
	ctx, cancel := l.deadline(ctx, works(requests))
	defer cancel()
	values := make([][][]byte, len(requests))
	for i, r := range requests {
		var err error
		if values[i], err = l.encode(r); err != nil {
			return nil, err
		}
	}
	p := l.conn.StartPipeline(ctx)
	fresh := l.send(p, requests, values)
	results, err := l.collect(p, requests, fresh)
	if closed := p.Close(); err == nil {
		err = closed
	}
	return results, err
}

// works counts the statements that may take their time.
func works(requests []request) int {
	n := 0
	for i := range requests {
		if requests[i].load != nil && !strings.HasPrefix(requests[i].sql, "SET ") {
			n++
		}
	}
	return n
}

// preparing is a statement whose preparation is on its way.
type preparing struct{ sql, name string }

// send queues the statements, and tells which ones are prepared on the way.
func (l *lane) send(p *pgconn.Pipeline, requests []request, values [][][]byte) (fresh []preparing) {
	binary := []int16{pgtype.BinaryFormatCode}
	names := make(map[string]string)
	for i, r := range requests {
		switch d := l.prepared[r.sql]; {
		case d != nil:
			p.SendQueryStatement(d, values[i], binary, binary)
		case names[r.sql] == "" && len(l.prepared)+len(fresh) >= maxPrepared:
			p.SendQueryParams(r.sql, values[i], nil, binary, binary)
		default:
			if names[r.sql] == "" {
				names[r.sql] = l.name()
				p.SendPrepare(names[r.sql], r.sql, nil)
				fresh = append(fresh, preparing{r.sql, names[r.sql]})
			}
			p.SendQueryPrepared(names[r.sql], values[i], binary, binary)
		}
		if r.at != nil {
			p.SendFlushRequest()
		}
	}
	return fresh
}

// collect sends what is queued and reads the answers up to the Sync's, or to
// the first error.
func (l *lane) collect(p *pgconn.Pipeline, requests []request, fresh []preparing) (results []*pgconn.Result, err error) {
	if err := p.Sync(); err != nil {
		return nil, err
	}
	for {
		answer, err := p.GetResults()
		if err != nil {
			return results, err
		}
		switch answer := answer.(type) {
		case *pgconn.StatementDescription:
			answer.Name = fresh[0].name
			l.prepared[fresh[0].sql] = answer
			fresh = fresh[1:]
		case *pgconn.ResultReader:
			result := answer.Read()
			if result.Err != nil {
				return results, result.Err
			}
			if at := requests[len(results)].at; at != nil {
				*at = time.Now()
			}
			results = append(results, result)
		default:
			return results, nil
		}
	}
}

// encode gives a request's parameters in binary. A statement that is prepared
// on the way has none but truth values, and what is sent as it is.
func (l *lane) encode(r request) ([][]byte, error) {
	d := l.prepared[r.sql]
	values := make([][]byte, len(r.args))
	for i, arg := range r.args {
		if b, ok := arg.(sent); ok {
			values[i] = b
			continue
		}
		oid := uint32(pgtype.BoolOID)
		if d != nil {
			oid = d.ParamOIDs[i]
		}
		var err error
		if values[i], err = l.types.Encode(oid, pgtype.BinaryFormatCode, arg, nil); err != nil {
			return nil, &sinkd.Error{Class: sinkd.Configuration, Kind: sinkd.Refused, Err: fmt.Errorf("parameter %d: %w", i+1, err)}
		}
	}
	return values, nil
}
