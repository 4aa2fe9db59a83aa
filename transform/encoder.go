package transform

import "github.com/sinkd/sinkd"

// Options are what an encoder needs to know beforehand.
type Options struct {
	// Routes are the pipeline's; the first that takes a topic is the topic's.
	Routes []*sinkd.Route
	// MaxRecordBytes bounds key, value and headers of a record together; a
	// larger record is a dead letter. 0 = no bound.
	MaxRecordBytes int
	// AsIs takes tables as they are: fields that columns would be added for are
	// left out, in place of being asked for. A record that has no others counts
	// as a row, and is none.
	AsIs bool
}

// Encoder turns the records of batches into rows. It belongs to one lane and
// is called from one goroutine at a time; of the batches that it encoded,
// several may be alive at once.
type Encoder struct {
	options Options
	plans   map[string]*plan
	targets []*target
	// open are the targets that got rows in the batch in work, done counts its
	// records up to the one in work, left those behind it.
	open       []*target
	done, left int
	// record is the record in work, at its place.
	record sinkd.Record
	at     sinkd.RowRef
	spares spares
	sorter sorter
	// memory holds a tuple that is laid over another, again tells that the
	// batch in work has to be encoded anew.
	memory []byte
	lacks  set
	again  bool
	// lacking are the columns that the batch in work needs beyond those of its
	// tables.
	lacking []sinkd.Need
}

// NewEncoder makes an encoder that knows no table yet.
func NewEncoder(o Options) *Encoder {
	return &Encoder{options: o, plans: make(map[string]*plan)}
}

// Supply gives the encoder the table of a topic, also anew after the table
// changed. An error is a *sinkd.Error of class Configuration: it names table
// and column, and its hint says what to do.
func (e *Encoder) Supply(topic string, t *sinkd.Table) error {
	c, err := compile(sinkd.RouteOf(e.options.Routes, topic), topic, t)
	if err != nil {
		return err
	}
	c.plan.target = e.target(t, c)
	e.plans[topic] = c.plan
	e.prune()
	return nil
}

// Encode fills b.Rows, b.Dead and each range's Count from the records, and
// replaces what was there. Where the table of a topic is unknown, or lacks
// columns that the route wants added, it fills nothing and returns what it
// needs; see Supply.
func (e *Encoder) Encode(b *sinkd.Batch) []sinkd.Need {
	if needs := e.needs(b); needs != nil {
		return needs
	}
	for e.encode(b); e.again; e.encode(b) {
		e.abandon()
	}
	if len(e.lacking) > 0 {
		return e.ask(b)
	}
	for _, t := range e.open {
		e.closeTarget(b, t)
	}
	e.open = e.open[:0]
	e.forget()
	return nil
}

// encode encodes the batch's records, unless it has to be done again.
func (e *Encoder) encode(b *sinkd.Batch) {
	e.Recycle(b)
	e.again = false
	e.done, e.left = 0, b.Records()
	for i := range b.Ranges {
		e.at.Range = int32(i)
		if e.encodeRange(b, &b.Ranges[i]); e.again {
			return
		}
	}
}

// Recycle takes the batch's buffers back, once it landed or was dropped; what
// Encode made is gone from it then.
func (e *Encoder) Recycle(b *sinkd.Batch) {
	for i := range b.Rows {
		e.spares.put(&b.Rows[i])
	}
	clear(b.Rows)
	clear(b.Dead)
	b.Rows, b.Dead = b.Rows[:0], b.Dead[:0]
}

// needs lists the topics of the batch whose table is unknown, each once.
func (e *Encoder) needs(b *sinkd.Batch) []sinkd.Need {
	var needs []sinkd.Need
	asked := map[string]bool(nil)
	for i := range b.Ranges {
		topic := b.Ranges[i].Claim.Topic
		if e.plans[topic] != nil || asked[topic] {
			continue
		}
		if asked == nil {
			asked = make(map[string]bool)
		}
		asked[topic] = true
		needs = append(needs, sinkd.Need{Topic: topic})
	}
	return needs
}

// encodeRange encodes the records of one range and counts what became of them.
func (e *Encoder) encodeRange(b *sinkd.Batch, r *sinkd.Range) {
	p := e.plans[r.Claim.Topic]
	r.Count = sinkd.Count{}
	r.Count.First, r.Count.Last = spanOf(r.Records)
	rec := &e.record
	for n := range r.Records.Each(rec) {
		e.at.Index = int32(n)
		e.done++
		e.left--
		r.Count.Bytes += int64(len(rec.Key) + len(rec.Value))
		switch skipped, dead := e.encodeRecord(p, rec); {
		case dead != nil:
			dead.Record = r.Records.At(n) // rec is valid until the next
			b.Dead = append(b.Dead, *dead)
			r.Count.Dead++
		case skipped:
			r.Count.Skipped++
		default:
			r.Count.Rows++
		}
		if e.again {
			return
		}
	}
}

// encodeRecord encodes one record, or tells that it has no effect, or why it cannot
// be encoded.
func (e *Encoder) encodeRecord(p *plan, rec *sinkd.Record) (skipped bool, dead *sinkd.DeadLetter) {
	gone := rec.Value == nil && !p.landing
	if gone && p.target.gone == nil {
		return true, nil
	}
	if most := e.options.MaxRecordBytes; most > 0 && sizeOf(rec) > most {
		return false, tooLarge(rec, most)
	}
	if err := p.read(rec); err != nil {
		return false, undecodable(rec, err)
	}
	if p.growing() {
		if reason := e.admit(p, rec.Topic); reason != "" {
			return false, &sinkd.DeadLetter{Record: rec, Stage: stageDecode, Reason: reason}
		}
		if e.options.AsIs {
			if e.lacking = nil; !p.matched() {
				return false, nil // There is nothing of it that could be written.
			}
		}
	}
	if len(e.lacking) > 0 {
		return true, nil // The batch is encoded anew once its columns are there.
	}
	t := p.target
	if t.keys > 0 {
		if err := p.locate(rec, gone); err != nil {
			return false, unfit(rec, err)
		}
	}
	var g *group
	if gone {
		g = e.goneGroup(t)
	} else {
		g = e.group(p)
	}
	start := len(g.buf)
	buf, err := p.tuple(g.buf, g)
	if err != nil {
		g.buf = buf[:start]
		return false, unfit(rec, err)
	}
	g.buf = buf
	switch {
	case !t.folds():
		e.add(g, start)
	case gone:
		e.foldGone(t, start)
	default:
		return e.foldWrite(t, g, start), nil
	}
	return false, nil
}

// sizeOf counts the bytes that the record brings.
func sizeOf(rec *sinkd.Record) int {
	n := len(rec.Key) + len(rec.Value)
	for i := range rec.Headers {
		n += len(rec.Headers[i].Key) + len(rec.Headers[i].Value)
	}
	return n
}
