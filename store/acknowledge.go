package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// IncidentRow is an incident as it is kept.
type IncidentRow struct {
	ID int64 `json:"id"`
	// Topic is empty for the whole pipeline, Partition -1 for the whole topic.
	Topic     string     `json:"topic,omitempty"`
	Partition int32      `json:"partition"`
	Kind      string     `json:"kind"`
	Detail    string     `json:"detail"`
	Opened    time.Time  `json:"opened_at"`
	LastSeen  time.Time  `json:"last_seen_at"`
	Seen      int64      `json:"seen"`
	Acked     *time.Time `json:"acked_at,omitempty"`
	AckedBy   string     `json:"acked_by,omitempty"`
}

const incidentColumns = `SELECT id, coalesce(topic, ''), coalesce(partition, -1), kind, detail, opened_at, last_seen_at, seen,
	acked_at, coalesce(acked_by, '') FROM {s}.incidents WHERE pipeline = $1`

// Incidents lists the open incidents, the oldest first; all of them where all
// is set.
func (s *Store) Incidents(ctx context.Context, all bool) (incidents []IncidentRow, err error) {
	err = s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.in(incidentColumns+` AND ($2 OR acked_at IS NULL) ORDER BY id`), s.cfg.Pipeline, all)
		if err != nil {
			return err
		}
		incidents, err = pgx.CollectRows(rows, pgx.RowToStructByPos[IncidentRow])
		return err
	})
	return incidents, err
}

// Ack is what an operator decides about an incident.
type Ack struct {
	ID int64
	// Retry lets what the incident halted or paused be tried again.
	Retry bool
	// Resume gives positions to go on from, for the incident's partition, or
	// for each partition of its topic where that was recreated. It starts a new
	// generation, and implies Retry.
	Resume map[int32]int64
	// Topic is the topic as the brokers describe it now: what is pinned from
	// here on. It is needed where the topic was recreated.
	Topic *sinkd.Topic
	// Operator and Reason are recorded.
	Operator, Reason string
}

// ErrNoIncident tells that the pipeline has no open incident of that number.
var ErrNoIncident = errors.New("no such open incident")

// AckIncident acknowledges an incident and does what the operator decided, in
// one transaction. Everything that changes a position, an identity or a halt
// writes a new token, which fences all writers of the old state.
func (s *Store) AckIncident(ctx context.Context, a Ack) error {
	var refused error
	err := s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.in(incidentColumns+` AND id = $2 AND acked_at IS NULL FOR UPDATE`), s.cfg.Pipeline, a.ID)
		if err != nil {
			return err
		}
		i, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[IncidentRow])
		if errors.Is(err, pgx.ErrNoRows) {
			refused = ErrNoIncident
			return refused
		}
		if err != nil {
			return err
		}
		if refused = a.check(&i); refused != nil {
			return refused
		}
		return s.acknowledge(ctx, tx, &a, &i)
	})
	if refused != nil {
		return refused
	}
	return err
}

// anotherTopic tells of incidents after which the name stands for another topic:
// made anew, or on another cluster.
func anotherTopic(kind string) bool {
	return kind == sinkd.TopicRecreated || kind == sinkd.ClusterChanged
}

// check refuses what would lose or double records.
func (a *Ack) check(i *IncidentRow) error {
	if !anotherTopic(i.Kind) || !a.Retry && a.Resume == nil {
		return nil
	}
	// The positions of the old topic mean nothing in the new one.
	if a.Topic == nil || len(a.Resume) < int(a.Topic.Partitions) {
		return fmt.Errorf("topic %s is another one by now: all its partitions need a position in it (--resume-from)", i.Topic)
	}
	return nil
}

func (s *Store) acknowledge(ctx context.Context, tx pgx.Tx, a *Ack, i *IncidentRow) error {
	steps := []struct {
		wanted bool
		do     func(context.Context, pgx.Tx, *Ack, *IncidentRow) error
	}{
		{true, s.closeIncident},
		{anotherTopic(i.Kind) && a.Topic != nil, s.repin},
		{a.Resume != nil, s.resume},
		{a.Retry || a.Resume != nil, s.revive},
	}
	for _, step := range steps {
		if !step.wanted {
			continue
		}
		if err := step.do(ctx, tx, a, i); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, s.in(operationSQL), s.cfg.Pipeline, i.Topic, i.Partition, "incidents ack",
		fmt.Sprintf("incident %d (%s), retry %t, resume from %v", i.ID, i.Kind, a.Retry, a.Resume), a.Reason, a.Operator)
	return err
}

// closeIncident closes it, and with a recreated topic that of each partition.
func (s *Store) closeIncident(ctx context.Context, tx pgx.Tx, a *Ack, i *IncidentRow) error {
	_, err := tx.Exec(ctx, s.in(`UPDATE {s}.incidents SET acked_at = now(), acked_by = $3
		WHERE pipeline = $1 AND acked_at IS NULL AND (id = $2 OR $4 AND kind = $5 AND topic = $6)`),
		s.cfg.Pipeline, i.ID, a.Operator, a.Topic != nil && anotherTopic(i.Kind), i.Kind, i.Topic)
	return err
}

// repin makes the topic's present identity the pinned one.
func (s *Store) repin(ctx context.Context, tx pgx.Tx, a *Ack, i *IncidentRow) error {
	_, err := tx.Exec(ctx, s.in(`UPDATE {s}.topics SET topic_id = $3, cluster_id = $4, partitions = $5, pinned_at = now()
		WHERE pipeline = $1 AND topic = $2`), s.cfg.Pipeline, i.Topic, a.Topic.ID, a.Topic.Cluster, a.Topic.Partitions)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.in(`DELETE FROM {s}.offsets WHERE pipeline = $1 AND topic = $2 AND partition >= $3`),
		s.cfg.Pipeline, i.Topic, a.Topic.Partitions)
	return err
}

// resume sets positions.
func (s *Store) resume(ctx context.Context, tx pgx.Tx, a *Ack, i *IncidentRow) error {
	r := &repositioned{topic: i.Topic}
	for partition, offset := range a.Resume {
		if anotherTopic(i.Kind) || i.Partition < 0 || partition == i.Partition {
			r.numbers, r.offsets = append(r.numbers, partition), append(r.offsets, offset)
		}
	}
	return s.reposition(ctx, tx, r)
}

// revive clears the halts that the incident stands for, or the pause.
func (s *Store) revive(ctx context.Context, tx pgx.Tx, _ *Ack, i *IncidentRow) error {
	if i.Topic == "" {
		_, err := tx.Exec(ctx, s.in(`UPDATE {s}.pipelines SET paused = false WHERE pipeline = $1`), s.cfg.Pipeline)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, s.in(`UPDATE {s}.offsets SET halted = NULL, claim = `+freshToken+`
		WHERE pipeline = $1 AND halted = $2 AND ($3 = '' OR topic = $3) AND ($4::integer < 0 OR partition = $4)`),
		s.cfg.Pipeline, i.Kind, i.Topic, i.Partition)
	return err
}
