package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transactor is a transactional producer. Its methods may be called from any
// one goroutine.
type transactor struct {
	w      *world
	client *kgo.Client
	open   map[place]int64 // what the open transaction holds
}

func newTransactor(w *world, name string) *transactor {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.DefaultProduceTopic(w.topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(w.topic+"-"+name))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return &transactor{w: w, client: client, open: make(map[place]int64)}
}

// produce sends n events to each of the partitions, in a transaction that is
// begun where none is open, and waits for them.
func (p *transactor) produce(ctx context.Context, n int, partitions ...int32) error {
	if len(p.open) == 0 {
		if err := p.client.BeginTransaction(); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	first := p.w.ids(n * len(partitions))
	var recs []*kgo.Record
	ids := make(map[*kgo.Record]int64)
	for i := range int64(n * len(partitions)) {
		r := p.w.event(first+i, partitions[int(i)%len(partitions)])
		ids[r] = first + i
		recs = append(recs, r)
	}
	for _, res := range p.client.ProduceSync(ctx, recs...) {
		if res.Err != nil {
			return fmt.Errorf("produce in a transaction: %w", res.Err)
		}
		p.open[place{res.Record.Partition, res.Record.Offset}] = ids[res.Record]
	}
	return nil
}

// end commits or aborts; what was aborted must never be seen in the table.
func (p *transactor) end(ctx context.Context, commit kgo.TransactionEndTry) error {
	if err := p.client.EndTransaction(ctx, commit); err != nil {
		return fmt.Errorf("end the transaction: %w", err)
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if commit == kgo.TryCommit {
		for at, id := range p.open {
			p.w.sent[at] = id
		}
	}
	clear(p.open)
	return nil
}

// TestTransactions interleaves committed and aborted transactions of several
// producers, and records outside of any, over all partitions.
func TestTransactions(t *testing.T) {
	t.Parallel()
	const partitions = 4
	w := newWorld(t, partitions)
	s := start(t, w.env())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stop := w.feed(4, partitions)
	failures := make([]error, 3)
	var producing sync.WaitGroup
	for i := range failures {
		p := newTransactor(w, fmt.Sprint(i))
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		producing.Go(func() { failures[i] = p.work(t.Context(), random, 15, partitions) })
	}
	producing.Wait()
	stop()
	try(t, errors.Join(failures...))
	w.landed(time.Minute)

	var committed int64
	for _, n := range query[int64](w, `SELECT records FROM sinkd.batches`) {
		committed += n
	}
	if sent := int64(len(w.sent) + len(w.bad)); committed != sent {
		t.Errorf("the ledger counts %d records, %d were committed", committed, sent)
	}
	if code := s.term(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// work ends so many transactions, about half of them by an abort.
func (p *transactor) work(ctx context.Context, random *rand.Rand, transactions, partitions int) error {
	for range transactions {
		for range 1 + random.IntN(3) {
			some := random.Perm(partitions)[:1+random.IntN(partitions)]
			var to []int32
			for _, id := range some {
				to = append(to, int32(id))
			}
			if err := p.produce(ctx, 1+random.IntN(30), to...); err != nil {
				return err
			}
		}
		commit := kgo.TransactionEndTry(random.IntN(2) == 0)
		if err := p.end(ctx, commit); err != nil {
			return err
		}
	}
	return nil
}

// TestOpenTransaction has a transaction that holds the last stable offset back:
// nothing behind it is read until it ends.
func TestOpenTransaction(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]kgo.TransactionEndTry{"committed": kgo.TryCommit, "aborted": kgo.TryAbort} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			p := newTransactor(w, "open")
			w.produce(20, 2)
			before := len(w.sent)
			try(t, p.produce(t.Context(), 5, 0, 1))
			behind := w.ids(1)
			try(t, w.send(t.Context(), []*kgo.Record{w.event(behind, 0)}, func(_ int, at place) { w.sent[at] = behind }))

			if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
				t.Fatalf("exit code %d", code)
			}
			if n := query[int64](w, `SELECT count(*) FROM events`)[0]; n != int64(before) {
				t.Errorf("%d rows while the transaction was open, want the %d before it", n, before)
			}
			s := start(t, w.env())
			s.ready(30 * time.Second)
			try(t, p.end(t.Context(), end))
			w.landed(30 * time.Second)
		})
	}
}

// TestLatestIsTheLastStableOffset starts at the end while a transaction is
// open: what it holds is still to be committed, so it is read.
func TestLatestIsTheLastStableOffset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(20, 1)
	w.forget()
	p := newTransactor(w, "open")
	try(t, p.produce(t.Context(), 5, 0))
	s := start(t, w.env().with("SINKD_START", "latest"))
	s.ready(30 * time.Second)
	try(t, p.end(t.Context(), kgo.TryCommit))
	w.landed(30 * time.Second)
	if n := query[int64](w, `SELECT count(*) FROM events`)[0]; n != 5 {
		t.Errorf("%d rows, want the 5 of the transaction", n)
	}
}

// TestAbortedTail has partitions that end in, or hold nothing but, aborted
// records and markers: no record will ever say that their end was reached.
func TestAbortedTail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	p := newTransactor(w, "aborting")
	w.produce(30, 1)
	for range 3 {
		try(t, p.produce(t.Context(), 7, 0, 1))
		try(t, p.end(t.Context(), kgo.TryAbort))
	}
	ends := w.ends()
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
	try(t, w.reached(ends))

	s := start(t, w.env())
	s.ready(30 * time.Second)
	try(t, p.produce(t.Context(), 7, 0, 1, 2))
	try(t, p.end(t.Context(), kgo.TryAbort))
	w.landed(30 * time.Second)
	if n := query[int64](w, `SELECT coalesce(sum(records), 0)::bigint FROM sinkd.batches WHERE partition > 0`)[0]; n != 0 {
		t.Errorf("the ledger counts %d records where all were aborted", n)
	}
}
