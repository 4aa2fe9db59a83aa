package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Verification looks at one moment of the pipeline: positions, ledger, dead
// letters and tables in one snapshot, on a session of its own. While it is open
// the server keeps the row versions of that moment.
type Verification struct {
	store *Store
	conn  *pgx.Conn
}

// verifySQL makes a session fit for statements that read whole tables. The
// server ends it where this process stops answering, since its snapshot keeps
// the server from cleaning up.
const verifySQL = `SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '10min'; SET temp_buffers = '32MB';
BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL work_mem = '64MB'; SET LOCAL plan_cache_mode = force_custom_plan`

// Verify begins a verification. The snapshot is that of its first question.
func (s *Store) Verify(ctx context.Context) (*Verification, error) {
	config, err := s.parse()
	if err != nil {
		return nil, err
	}
	v := &Verification{store: s}
	connecting, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if v.conn, err = pgx.ConnectConfig(connecting, config); err != nil {
		return nil, Classify(err)
	}
	if _, err = v.conn.PgConn().Exec(ctx, verifySQL).ReadAll(); err != nil {
		v.Close()
		return nil, Classify(err)
	}
	return v, nil
}

// Close ends the verification; nothing of it is left in the database.
func (v *Verification) Close() { v.store.discard(v.conn.PgConn()) }

// asked classifies the error of a question about bookkeeping tables.
func (v *Verification) asked(err error) error {
	if err == nil {
		return nil
	}
	return v.store.classifyOwn(err)
}
