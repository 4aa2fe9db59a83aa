package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// megabyte is the size of a large record's text.
const megabyte = 1_000_000

// backlog measures the memory that a backlog of large records takes.
type backlog struct {
	name    string
	records int
	codec   kgo.CompressionCodec
	// alike is how often the same text is repeated in a record: what lies
	// compressed in the topic is about so many times as large in memory, while
	// the limits of a fetch count what lies in the topic.
	alike int
}

func (g *backlog) title() string { return g.name }

func (g *backlog) narrowed(run *regexp.Regexp) scenario {
	if !run.MatchString(g.name) {
		return nil
	}
	return g
}

func (g *backlog) measure(ctx context.Context, b *bench) ([]result, error) {
	const partitions = 4
	data := g.dataset()
	topic := topicName(data, partitions)
	b.say("filling %s with %d records of 1 MB", topic, g.records)
	if err := b.createTopic(ctx, topic, partitions); err != nil {
		return nil, err
	}
	digest := md5.New()
	records := func(yield func(*record) bool) {
		for rec := range data.records(b.opts.seed, topic, partitions, g.records) {
			_, _ = io.WriteString(digest, hex.EncodeToString(rec.line))
			if !yield(rec) {
				return
			}
		}
	}
	// Several records in a batch: it is inflated as a whole.
	err := b.produce(ctx, records, kgo.ProducerBatchCompression(g.codec), kgo.ProducerBatchMaxBytes(10<<20))
	if err != nil {
		return nil, err
	}
	if err := b.fresh(ctx, data.columns); err != nil {
		return nil, err
	}
	b.settle(ctx)
	s, err := b.sinkdRun(ctx, load{topic: topic, records: g.records})
	if err != nil {
		return nil, err
	}
	if err := g.check(ctx, b, hex.EncodeToString(digest.Sum(nil))); err != nil {
		return nil, err
	}
	results := []result{{name: g.name, samples: []sample{s}}}
	printBacklog(os.Stdout, &results[0])
	return results, b.deleteTopic(ctx, topic)
}

// check compares the table with what was produced: the digest of all the
// texts' digests.
func (g *backlog) check(ctx context.Context, b *bench, want string) error {
	var rows int
	var got string
	err := b.conn.QueryRow(ctx, "SELECT count(*), md5(coalesce(string_agg(md5(body), '' ORDER BY id), '')) FROM "+table).
		Scan(&rows, &got)
	if err == nil && (rows != g.records || got != want) {
		err = fmt.Errorf("the table holds %d rows with digest %s, want %d with %s", rows, got, g.records, want)
	}
	return err
}

// dataset makes the records; their line is the digest of their text.
func (g *backlog) dataset() *dataset {
	name := regexp.MustCompile(`\W+`).ReplaceAllString(g.name, "-")
	return &dataset{
		name: name, topic: name, columns: "id bigint, body text",
		fill: func(r *rand.Rand, i int, rec *record) {
			rec.key = strconv.AppendInt(rec.key, int64(i), 10)
			rec.value = strconv.AppendInt(append(rec.value, `{"id":`...), int64(i), 10)
			rec.value = append(rec.value, `,"body":"`...)
			start := len(rec.value)
			rec.value = appendNoise(rec.value, r, megabyte/g.alike)
			for part := rec.value[start:]; len(rec.value)-start < megabyte; {
				rec.value = append(rec.value, part...)
			}
			sum := md5.Sum(rec.value[start:])
			rec.line = append(rec.line, sum[:]...)
			rec.value = append(rec.value, `"}`...)
		},
	}
}

// appendNoise appends so many bytes of text that no compression makes small:
// Postgres gives up trying at once, and its CPU is not what is measured here.
func appendNoise(b []byte, r *rand.Rand, n int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for n > 0 {
		bits := r.Uint64()
		for range min(n, 10) {
			b = append(b, letters[bits&63])
			bits >>= 6
			n--
		}
	}
	return b
}
