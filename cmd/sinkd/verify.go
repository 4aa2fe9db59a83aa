package main

import (
	"context"
	"slices"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// verifyCommand proves that each record took effect once.
type verifyCommand struct {
	Deep  bool   `help:"Read Kafka again, and compare its records with the tables."`
	Topic string `help:"Only this topic." placeholder:"T"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (verifyCommand) Help() string {
	return "Proves from the ledger that the ranges of each partition follow each other without gap or overlap up to the position, and that the counts add up. With --deep the records are read again from Kafka, beside the consumer group, and compared with the tables: lost, doubled and changed ones are listed by their coordinates. It changes nothing, and run may go on meanwhile. The exit code is 0 only where the proof is whole.\n\nExample:\n\n    sinkd verify --deep --topic orders"
}

// verified is what verify prints as JSON.
type verified struct {
	Pipeline string `json:"pipeline"`
	// Whole tells that all was proved that was asked for.
	Whole  bool              `json:"whole"`
	Deep   bool              `json:"deep"`
	Ledger *store.Ledger     `json:"ledger"`
	Tables []*store.Compared `json:"tables,omitempty"`
}

// Run proves what there is to prove, and prints it.
func (v *verifyCommand) Run(p *program) error {
	need := config.Database
	if v.Deep {
		need = config.Flow
	}
	c, s, err := p.openBooks(need)
	if err != nil {
		return err
	}
	defer closeStore(s)
	limitMemory(p.env, c.Memory)
	out := &verified{Pipeline: c.Pipeline, Deep: v.Deep}
	done := p.at("going through the ledger")
	out.Ledger, err = v.ledger(p.ctx, s)
	done()
	if err != nil {
		return err
	}
	if v.Deep {
		if out.Tables, err = v.deep(p, c, s, out.Ledger); err != nil {
			return err
		}
	}
	out.Whole = len(out.Ledger.Flaws) == 0 && !slices.ContainsFunc(out.Tables, (*store.Compared).Found)
	if v.JSON {
		err = printJSON(p.stdout, out)
	} else {
		err = out.print(p.stdout)
	}
	if err == nil && !out.Whole {
		err = errFound
	}
	return err
}

// ledger asks the ledger. A pipeline without positions has nothing to prove,
// which is no proof.
func (v *verifyCommand) ledger(ctx context.Context, s *store.Store) (*store.Ledger, error) {
	moment, err := s.Verify(ctx)
	if err != nil {
		return nil, database(err)
	}
	defer moment.Close()
	l, err := moment.Ledger(ctx, v.Topic)
	switch {
	case err != nil:
		return nil, database(err)
	case len(l.Partitions) > 0 || len(l.Flaws) > 0:
		return l, nil
	case v.Topic != "":
		return nil, hinted{errRefused, "the pipeline has no positions of topic " + v.Topic, "sinkd status lists what it reads"}
	}
	return nil, hinted{errRefused, "the pipeline has no positions yet, so there is nothing to prove", "start sinkd run, or mend SINKD_PIPELINE"}
}
