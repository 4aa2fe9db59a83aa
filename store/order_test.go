package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// The position of a claim is read by the statement that writes the token, when
// it holds the row: read before, it could be one that another writer moved on
// while the claim waited.
func TestClaimReadsWhatItHolds(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	holder, err := pgx.Connect(f.Context(), f.url)
	f.must(err)
	tx, err := holder.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `UPDATE sinkd.offsets SET next_offset = 12`)
	f.must(err)
	done := make(chan error, 1)
	var claim sinkd.Claim
	go func() {
		var err error
		claim, err = s.ClaimLocked(f.Context(), part(0))
		done <- err
	}()
	f.until(`SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
	f.must(tx.Commit(f.Context()))
	f.must(holder.Close(f.Context()))
	f.must(<-done)
	if claim.Next != 12 {
		t.Errorf("claimed at %d, and the position is 12", claim.Next)
	}
}
