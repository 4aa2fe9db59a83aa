package stream

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/sinkd/sinkd"
)

// prepare does what has to be done before the group is joined: ties the
// pipeline to its cluster and group, and at the first start pins the positions
// of all topics. It tries without end.
func (f *Flow) prepare(ctx context.Context) error {
	var wait backoff
	for {
		err := f.tryPrepare(ctx)
		var not refusal
		if errors.As(err, &not) {
			return not.error
		}
		if err == nil {
			return nil
		}
		d := wait.next()
		f.health.failing(err, d)
		if !sleep(ctx, d) {
			return context.Cause(ctx)
		}
	}
}

// refusal is an error that no retry mends: the pipeline is another group's.
type refusal struct{ error }

func (f *Flow) tryPrepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*claimPatience)
	defer cancel()
	topics, err := f.matching(ctx)
	if err != nil {
		return err
	}
	f.absent(topics)
	cluster, err := f.brokers.cluster(ctx)
	if err != nil {
		return err
	}
	f.health.up(kafka)
	if f.first, err = f.cfg.Store.Register(ctx, cluster); err != nil {
		var e *sinkd.Error
		if !f.cfg.Idempotent && !errors.As(err, &e) {
			return refusal{err}
		}
		return err
	}
	f.health.up(postgres)
	if err := f.cfg.Store.Retry(ctx); err != nil {
		return err
	}
	f.present = make(map[string]bool, len(topics))
	for name := range topics {
		f.present[name] = true
	}
	if f.first {
		if err := f.pinAll(ctx, topics); err != nil {
			return err
		}
	}
	return f.caught.aim(ctx, topics)
}

// pinAll pins every topic that is there at the pipeline's first start.
func (f *Flow) pinAll(ctx context.Context, topics map[string]sinkd.Topic) error {
	known, err := f.cfg.Store.Topics(ctx)
	if err != nil {
		return err
	}
	for name := range topics {
		if _, ok := known[name]; ok {
			continue
		}
		if err := f.pin(ctx, name, false); err != nil {
			return err
		}
	}
	return f.cfg.Store.Started(ctx)
}

// matching describes the topics that are there and that the flow subscribes to.
func (f *Flow) matching(ctx context.Context) (map[string]sinkd.Topic, error) {
	if len(f.cfg.Patterns) == 0 {
		return f.brokers.topics(ctx, f.cfg.Topics...)
	}
	topics, err := f.brokers.topics(ctx)
	for name := range topics {
		if !f.subscribes(name) {
			delete(topics, name)
		}
	}
	return topics, err
}

// absent says which topics the flow has to wait for.
func (f *Flow) absent(topics map[string]sinkd.Topic) {
	var missing []string
	for _, name := range f.cfg.Topics {
		if _, ok := topics[name]; !ok {
			missing = append(missing, name)
			f.log.Warn("the topic does not exist; waiting for it", slog.String("topic", name))
		}
	}
	f.missing.Store(&missing)
}

// subscribes tells whether the flow reads the topic.
func (f *Flow) subscribes(topic string) bool { return f.literal(topic) || f.matches(topic) }

func (f *Flow) literal(topic string) bool { return slices.Contains(f.cfg.Topics, topic) }

func (f *Flow) matches(topic string) bool {
	for _, p := range f.cfg.Patterns {
		if m := p.FindStringIndex(topic); m != nil && m[0] == 0 && m[1] == len(topic) {
			return true
		}
	}
	return false
}

// late tells whether the topic appeared after the pipeline's first start, as
// far as this process can know: one that a pattern matches counts by the
// pipeline, one that is named by this process's start.
func (f *Flow) late(topic string) bool {
	if !f.present[topic] {
		return true
	}
	return !f.literal(topic) && !f.first
}
