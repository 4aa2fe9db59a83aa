package web

import "time"

// workBatches is how many batches tell where time goes.
const workBatches = 50

// Work tells where the time of this process's last batches went: the sums of
// their stages.
type Work struct {
	Batches int    `json:"batches"`
	Records int64  `json:"records"`
	Stages  Stages `json:"stages_ms"`
	// Bound is what bounds a process that is behind: Kafka, sinkd or PostgreSQL;
	// empty where it is not behind.
	Bound string `json:"bound_by,omitempty"`
}

// work sums up the last batches, nil where there are none.
func (h *history) work(st *Status) *Work {
	w := &Work{}
	batches := h.after(0)
	for i := len(batches) - 1; i >= 0 && w.Batches < workBatches; i-- {
		if s := batches[i].Stages; s != nil {
			w.Batches++
			w.Records += batches[i].Records
			w.Stages.add(s)
		}
	}
	if w.Batches == 0 {
		return nil
	}
	for i := range st.Partitions {
		if st.Partitions[i].Lag > 0 {
			w.Bound = w.Stages.bound()
			break
		}
	}
	return w
}

func (s *Stages) add(t *Stages) {
	s.Wait += t.Wait
	s.Build += t.Build
	s.Copy += t.Copy
	s.Merge += t.Merge
	s.Commit += t.Commit
}

// bound names what most of the time goes to, where there is more to do.
func (s *Stages) bound() string {
	switch {
	case s.Wait > s.Build+s.Copy+s.Merge+s.Commit:
		return "Kafka"
	case s.Build > max(s.Copy, s.Merge, s.Commit):
		return "sinkd"
	}
	return "PostgreSQL"
}

// work tells where time goes, nil where nothing was done yet.
func (p *Page) work(st *Status) *Work {
	p.look(time.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.history.work(st)
}
