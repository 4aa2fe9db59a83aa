package integration_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestIdempotentPage has the last batches without a ledger: those of the process,
// with the ranges that it read and the time of each stage.
func TestIdempotentPage(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	s := start(t, w.idempotent())
	s.ready(30 * time.Second)
	w.produce(100, 2)
	var page struct {
		Ledger  struct{ Kept bool }
		Batches []struct {
			Writer  string
			Records int64
			Stages  map[string]float64
			Spans   []struct{ From, Until int64 } `json:"first_ranges"`
		}
	}
	eventually(t, 30*time.Second, "the batches are not there", func() error {
		answer, err := s.get(t.Context(), "/api/batches")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
			return err
		}
		var records, offsets int64
		for _, b := range page.Batches {
			records += b.Records
			for _, r := range b.Spans {
				offsets += r.Until - r.From
			}
			if len(b.Stages) != 5 || b.Writer == "" {
				t.Errorf("stages %v, writer %q", b.Stages, b.Writer)
			}
		}
		if records != 100 || offsets != 100 {
			return fmt.Errorf("%d records in ranges of %d offsets", records, offsets)
		}
		return nil
	})
	if page.Ledger.Kept {
		t.Error("it says that a ledger is kept")
	}
}
