package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// Move is what an operator wants positions to be.
type Move struct {
	Operator
	// To is how it was said, for the record.
	To     string
	Topics []TopicMove
	// DeleteRows removes what the tables have from the positions on.
	DeleteRows bool
}

// TopicMove gives the positions of one topic.
type TopicMove struct {
	// Topic is the topic as the brokers describe it now. Where the pipeline does
	// not know it yet it is pinned, and needs a position for each partition.
	Topic sinkd.Topic
	// Next are the positions, by partition.
	Next map[int32]int64
	// Route and Table are where its rows are, nil where no rows are deleted.
	Route *sinkd.Route
	Table *sinkd.Table
}

// Moved is what became of one position.
type Moved struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// From is where it was, -1 where there was none.
	From int64 `json:"from_offset"`
	Next int64 `json:"next_offset"`
	// Rows and Letters were deleted.
	Rows    int64 `json:"rows_deleted"`
	Letters int64 `json:"dead_letters_deleted"`
	// Halted is what still halts the partition.
	Halted string `json:"halted,omitempty"`
}

// String names the partition.
func (m *Moved) String() string { return sinkd.Partition{Topic: m.Topic, ID: m.Partition}.String() }

// positional are the halts that a new position ends: they are about the old one.
var positional = []string{sinkd.DataLost, sinkd.PositionMissing, sinkd.BadRecord}

// Move sets positions, in one transaction with what it deletes and with its
// record: a new generation and a fresh token each, so that a writer at work is
// fenced and what it has under way never lands. It waits for the transactions
// that are under way. Errors are a *GroupError, a *UnknownError, another refusal
// or a *sinkd.Error.
func (s *Store) Move(ctx context.Context, m *Move) (moved []Moved, err error) {
	slices.SortFunc(m.Topics, func(a, b TopicMove) int {
		return sinkd.Partition{Topic: a.Topic.Name}.Compare(sinkd.Partition{Topic: b.Topic.Name})
	})
	err = s.operate(ctx, func(ctx context.Context, tx pgx.Tx) error {
		moved = nil
		if err := s.belongs(ctx, tx, m.Topics[0].Topic.Cluster); err != nil {
			return err
		}
		for i := range m.Topics {
			some, err := s.moveTopic(ctx, tx, m, &m.Topics[i])
			if err != nil {
				return err
			}
			moved = append(moved, some...)
		}
		return nil
	})
	return moved, err
}

// belongs makes the pipeline's row where there is none, and refuses where it is
// another group's.
func (s *Store) belongs(ctx context.Context, tx pgx.Tx, cluster string) error {
	var group string
	_, err := tx.Exec(ctx, s.in(`INSERT INTO {s}.pipelines (pipeline, cluster_id, kafka_group)
		VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`), s.cfg.Pipeline, cluster, s.cfg.Group)
	if err != nil {
		return err
	}
	err = tx.QueryRow(ctx, s.in(`SELECT kafka_group FROM {s}.pipelines WHERE pipeline = $1`), s.cfg.Pipeline).Scan(&group)
	if err == nil && group != s.cfg.Group {
		return &refused{&GroupError{Pipeline: s.cfg.Pipeline, Have: group, Want: s.cfg.Group}}
	}
	return err
}

// errAnother tells that the name stands for another topic by now.
var errAnother = errors.New("it is not the topic that the positions are of")

func (s *Store) moveTopic(ctx context.Context, tx pgx.Tx, m *Move, t *TopicMove) ([]Moved, error) {
	if err := s.recognize(ctx, tx, t); err != nil {
		return nil, err
	}
	numbers := slices.Sorted(maps.Keys(t.Next))
	moved, err := s.hold(ctx, tx, t, numbers)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, len(numbers))
	for i := range moved {
		offsets[i] = moved[i].Next
		if !m.DeleteRows {
			continue
		}
		if err := s.deleteFrom(ctx, tx, t, &moved[i]); err != nil {
			return nil, err
		}
	}
	if err := s.reposition(ctx, tx, &repositioned{topic: t.Topic.Name, numbers: numbers, offsets: offsets, ends: positional}); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, s.in(`UPDATE {s}.incidents SET acked_at = now(), acked_by = $5
		WHERE pipeline = $1 AND topic = $2 AND partition = ANY($3) AND kind = ANY($4) AND acked_at IS NULL`),
		s.cfg.Pipeline, t.Topic.Name, numbers, positional, m.Name)
	if err != nil {
		return nil, err
	}
	o := operation{Scope: Scope{Topic: t.Topic.Name, Partition: -1}, Operator: m.Operator, name: "offsets set", detail: m.describe(moved)}
	if len(numbers) == 1 {
		o.Partition = numbers[0]
	}
	return moved, s.note(ctx, tx, o)
}

// recognize compares the topic with the pinned one, and pins it where the
// pipeline does not know it.
func (s *Store) recognize(ctx context.Context, tx pgx.Tx, t *TopicMove) error {
	now := &t.Topic
	tag, err := tx.Exec(ctx, s.in(`INSERT INTO {s}.topics (pipeline, topic, topic_id, cluster_id, partitions)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`), s.cfg.Pipeline, now.Name, now.ID, now.Cluster, now.Partitions)
	if err != nil {
		return err
	}
	if tag.RowsAffected() > 0 {
		if len(t.Next) < int(now.Partitions) {
			return &refused{fmt.Errorf("topic %s was never read: all its %d partitions need a position, so leave --partition out", now.Name, now.Partitions)}
		}
		return nil
	}
	var pinned sinkd.Topic
	err = tx.QueryRow(ctx, s.in(`SELECT topic_id, cluster_id, partitions FROM {s}.topics WHERE pipeline = $1 AND topic = $2 FOR NO KEY UPDATE`),
		s.cfg.Pipeline, now.Name).Scan(&pinned.ID, &pinned.Cluster, &pinned.Partitions)
	switch {
	case err != nil:
		return err
	case pinned.Cluster != now.Cluster, pinned.ID != uuid.Nil && now.ID != uuid.Nil && pinned.ID != now.ID:
		return &refused{fmt.Errorf("topic %s: %w; `sinkd incidents list` shows the incident, `sinkd incidents ack ID --resume-from earliest` goes on in the new one",
			now.Name, errAnother)}
	case pinned.Partitions < now.Partitions:
		// Those that it has gained begin where a writer would let them begin.
		return s.gain(ctx, tx, t, pinned.Partitions)
	}
	return nil
}

// gain refuses a move that would leave partitions out which the pipeline does
// not know yet: where they begin is for a writer to say.
func (s *Store) gain(ctx context.Context, tx pgx.Tx, t *TopicMove, known int32) error {
	for id := known; id < t.Topic.Partitions; id++ {
		if _, ok := t.Next[id]; !ok {
			for id := range t.Next {
				if id >= known {
					return &refused{fmt.Errorf("topic %s has gained partitions: leave --partition out, or start sinkd run first", t.Topic.Name)}
				}
			}
			return nil
		}
	}
	_, err := tx.Exec(ctx, s.in(`UPDATE {s}.topics SET partitions = $3 WHERE pipeline = $1 AND topic = $2`),
		s.cfg.Pipeline, t.Topic.Name, t.Topic.Partitions)
	return err
}

// hold takes the position rows, in key order, as every writer does.
func (s *Store) hold(ctx context.Context, tx pgx.Tx, t *TopicMove, numbers []int32) ([]Moved, error) {
	moved := make([]Moved, len(numbers))
	for i, id := range numbers {
		moved[i] = Moved{Topic: t.Topic.Name, Partition: id, From: -1, Next: t.Next[id]}
	}
	rows, err := tx.Query(ctx, s.in(`SELECT partition, next_offset, coalesce(halted, '') FROM {s}.offsets
		WHERE pipeline = $1 AND topic = $2 AND partition = ANY($3) ORDER BY topic, partition FOR UPDATE`),
		s.cfg.Pipeline, t.Topic.Name, numbers)
	if err != nil {
		return nil, err
	}
	var id int32
	var next int64
	var halted string
	_, err = pgx.ForEachRow(rows, []any{&id, &next, &halted}, func() error {
		at, _ := slices.BinarySearch(numbers, id)
		moved[at].From = next
		if !slices.Contains(positional, halted) {
			moved[at].Halted = halted
		}
		return nil
	})
	return moved, err
}

// describe tells what was moved, for the record.
func (m *Move) describe(moved []Moved) string {
	text := "to " + m.To
	if m.DeleteRows {
		text += ", rows deleted"
	}
	for i := range moved {
		at := &moved[i]
		text += fmt.Sprintf("; %s from %d to %d", at, at.From, at.Next)
		if m.DeleteRows {
			text += fmt.Sprintf(" (%d rows, %d dead letters)", at.Rows, at.Letters)
		}
	}
	return text
}
