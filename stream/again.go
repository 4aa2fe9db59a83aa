package stream

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sinkd/sinkd"
)

// What is read again at a time: so many records of one partition, or so many
// bytes of keys and values.
const (
	againRecords = 50_000
	againBytes   = 16 << 20
)

// Again reads ranges of a topic once more, beside the group.
type Again struct {
	// Compacted tells that the topic's cleanup policy may remove records from
	// the middle of the log.
	Compacted bool
	// Gone counts the offsets that left the log while it was read.
	Gone int64

	reader
}

// Span is a range of a partition that is read again.
type Span struct {
	Partition   int32
	From, Until int64
}

// Comparer compares what is read again with what was written.
type Comparer interface {
	// Letters gives the offsets of the dead letters in a range, in order.
	Letters(ctx context.Context, p sinkd.Partition, from, until int64) ([]int64, error)
	// Compare compares the one range of an encoded batch, whose records are all
	// that Kafka has of it but those that are dead letters.
	Compare(ctx context.Context, b *sinkd.Batch) error
}

// ReadAgain describes a topic that is to be read again. It fails with ErrNoTopic
// where the topic does not exist.
func ReadAgain(ctx context.Context, k Kafka, topic string) (*Again, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	a := &Again{reader: reader{kafka: &k, log: newLogReader(&k), brokers: b}}
	if err := a.describe(ctx, topic); err != nil {
		a.Close()
		return nil, err
	}
	// Brokers that do not say, or not to this user, are taken to delete.
	if configs, err := b.admin.DescribeTopicConfigs(ctx, topic); err == nil && len(configs) == 1 {
		for _, c := range configs[0].Configs {
			a.Compacted = a.Compacted || c.Key == "cleanup.policy" && strings.Contains(c.MaybeValue(), "compact")
		}
	}
	return a, nil
}

// Close ends the connections.
func (a *Again) Close() { a.brokers.close() }

// Described gives the topic as the brokers describe it.
func (a *Again) Described() sinkd.Topic { return a.Topic }

// LogStart gives the first offset that Kafka still has of a partition; it
// answers false where the partition does not exist, or has no leader.
func (a *Again) LogStart(partition int32) (int64, bool) {
	e, ok := a.bounds[sinkd.Partition{Topic: a.Topic.Name, ID: partition}]
	return e.start, ok
}

// Against is what records that are read again are compared with.
type Against struct {
	Encoder  Encoder
	Comparer Comparer
	// Progress is told how many offsets each piece has that was compared.
	Progress func(offsets int64)
}

// Compare reads the spans in order, and has each piece of them encoded and
// compared, while the next is read. Where a span's beginning leaves the log
// meanwhile it goes on behind that.
func (a *Again) Compare(ctx context.Context, spans []Span, with *Against) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pieces, ended := make(chan sinkd.Range), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(pieces)
		for _, s := range spans {
			if err := a.pieces(ctx, s, pieces); err != nil {
				cancel(err)
				return
			}
		}
	}()
	defer func() { <-ended }()
	defer cancel(nil)
	for piece := range pieces {
		if err := with.piece(ctx, piece); err != nil {
			return err
		}
		with.Progress(piece.Until - piece.From)
	}
	return context.Cause(ctx)
}

// piece has one piece compared, without the records that are dead letters.
func (w *Against) piece(ctx context.Context, piece sinkd.Range) error {
	letters, err := w.Comparer.Letters(ctx, piece.Claim.Partition, piece.From, piece.Until)
	if err != nil {
		return err
	}
	piece.Records = without(piece.Records, letters)
	return w.batch(ctx, &sinkd.Batch{ID: uuid.New(), Ranges: []sinkd.Range{piece}})
}

// without leaves records out by their offsets, which are in order.
func without(records sinkd.Records, offsets []int64) (rest sinkd.Records) {
	from := 0
	for _, offset := range offsets {
		n := records.Search(offset)
		if n == records.Len() || records.Offset(n) != offset {
			continue
		}
		rest.Append(records.Slice(from, n))
		from = n + 1
	}
	rest.Append(records.Slice(from, records.Len()))
	return rest
}

// batch encodes the batch, and has it compared: in parts, where Postgres
// refuses some of it, until the record is found that it refuses, which then is
// as if it could not be encoded.
func (w *Against) batch(ctx context.Context, b *sinkd.Batch) error {
	err := w.encoded(ctx, b, nil)
	if refused, ok := errors.AsType[*sinkd.Error](err); !ok || refused.Class != sinkd.Data {
		return err
	}
	for _, part := range b.Split(nil) {
		if err := w.batch(ctx, part); err != nil {
			return err
		}
	}
	if b.Records() != 1 {
		return nil
	}
	record := b.Ranges[0].Records.At(0)
	b.Ranges[0].Records = sinkd.Records{}
	return w.encoded(ctx, b, record)
}

// encoded has the batch compared, with one more record that cannot be encoded.
func (w *Against) encoded(ctx context.Context, b *sinkd.Batch, refused *sinkd.Record) error {
	if needs := w.Encoder.Encode(b); len(needs) > 0 {
		return fmt.Errorf("the table of topic %s is not known", needs[0].Topic)
	}
	defer w.Encoder.Recycle(b)
	if refused != nil {
		b.Dead = append(b.Dead, sinkd.DeadLetter{Record: refused, Stage: "write"})
	}
	return w.Comparer.Compare(ctx, b)
}

// pieces reads a span and hands out its pieces.
func (a *Again) pieces(ctx context.Context, s Span, pieces chan<- sinkd.Range) error {
	claim := &sinkd.Claim{Partition: sinkd.Partition{Topic: a.Topic.Name, ID: s.Partition}}
	for at := s.From; at < s.Until; {
		piece := sinkd.Range{Claim: claim, From: at, Until: s.Until}
		err := a.piece(ctx, &piece)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			if at, err = a.skip(ctx, s, at); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		select {
		case pieces <- piece:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		at = piece.Until
	}
	return nil
}

// skip gives where the log begins by now, for a span whose next offset left it.
func (a *Again) skip(ctx context.Context, s Span, at int64) (int64, error) {
	var err error
	if a.bounds, err = a.brokers.bounds(ctx, a.Topic.Name); err != nil {
		return at, err
	}
	start, ok := a.LogStart(s.Partition)
	if start = min(start, s.Until); !ok || start <= at {
		return at, fmt.Errorf("%s[%d] has no offset %d, and its log begins at %d", a.Topic.Name, s.Partition, at, start)
	}
	a.Gone += start - at
	return start, nil
}

// piece reads records from the piece's beginning on, as many as are to be read
// at a time, and ends it behind them.
func (a *Again) piece(ctx context.Context, piece *sinkd.Range) error {
	p := a.reading(piece.Claim.Partition)
	room := int64(againBytes)
	at := piece.From
	var failures backoff
	for at < piece.Until {
		got, err := p.fetch(ctx, a.brokers.client.Broker(int(a.leaders[p.ID])), at, besideBytes)
		if err != nil {
			if errors.Is(err, kerr.OffsetOutOfRange) || failures.n == moves || !sleep(ctx, failures.next()) {
				return err
			}
			if err := a.lead(ctx); err != nil {
				return err
			}
			continue
		}
		if got.next <= at {
			return fmt.Errorf("the brokers give nothing of %s at offset %d, below the position", p.Partition, at)
		}
		if take(piece, got.records, &room) {
			return nil
		}
		at = got.next
	}
	return nil
}

// take adds the records of a fetch that belong to the range, and tells that it
// ends before one of them, since there is no room for more.
func take(r *sinkd.Range, records sinkd.Records, room *int64) (full bool) {
	from, until := records.Search(r.From), records.Search(r.Until)
	had, left := r.Records.Len(), *room
	mine := records.Slice(from, until)
	fit := sort.Search(mine.Len(), func(n int) bool {
		return had+n > 0 && (had+n >= againRecords || mine.Size(n) >= left)
	})
	*room -= mine.Size(fit)
	r.Records.Append(mine.Slice(0, fit))
	if fit < mine.Len() {
		r.Until = mine.Offset(fit)
		return true
	}
	return until < records.Len()
}
