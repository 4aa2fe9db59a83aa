package store_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// provocation is a condition that is met in one mode.
type provocation struct {
	*target
	c    condition
	mode sinkd.Mode
	// name is the role of the condition's own, where it has one.
	name string
	// via applies the batch.
	via *store.Store
	// undo ends what before began.
	undo func()
}

// TestConditions provokes every condition of the error table, straight into the
// table and through a stage.
func TestConditions(t *testing.T) {
	for name, mode := range map[string]sinkd.Mode{"direct": sinkd.Append, "staged": sinkd.Upsert} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			s := f.pinned(1)
			for _, c := range conditions {
				if c.only != "" && c.only != mode {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					at := *f
					at.TB = t
					provoke(&at, s, c, mode)
				})
			}
		})
	}
}

// provoke meets the condition in a database whose public schema is made anew.
func provoke(f *fixture, s *store.Store, c condition, mode sinkd.Mode) {
	f.Helper()
	if c.ddl == "" {
		c.ddl = `CREATE TABLE target (k bigint PRIMARY KEY, a text)`
	}
	if c.log == "" {
		c.log = "0 w k=1 a=x; 0 w k=2 a=secret"
	}
	f.exec(`DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; ` + c.ddl)
	if c.refuse != "" {
		f.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + c.refuse + `; RETURN NEW; END $$;
			CREATE TRIGGER refuse BEFORE INSERT ON target FOR EACH ROW WHEN (NEW.a = 'secret') EXECUTE FUNCTION refuse()`)
		if c.mend == "" {
			c.mend = `DROP TRIGGER refuse ON target`
		}
	}
	p := &provocation{c: c, mode: mode, undo: func() {}}
	as := f
	if c.role {
		as, p.name = f.role()
		f.exec(`GRANT USAGE ON SCHEMA sinkd, public TO ` + p.name + `; GRANT ALL ON ALL TABLES IN SCHEMA sinkd, public TO ` + p.name)
		s = as.open()
	}
	if c.options != nil {
		s = f.open(c.options)
	}
	p.target, p.via = as.target(s, keyed("target", mode, "k"), 1), s
	p.target.text = c.text
	p.meet()
}

// meet applies the batch and looks at the refusal; afterwards the lane works as
// before.
func (p *provocation) meet() {
	p.Helper()
	log := p.c.log
	if p.mode == sinkd.Upsert {
		log = "0 d k=99; " + log
	}
	b := p.batch(eventsOf(log))
	if p.c.before != nil {
		p.c.before(p)
	}
	err := p.via.Apply(p.Context(), 0, b)
	p.undo()
	e := p.class(err, p.c.wanted())
	p.judge(e, b)
	switch {
	case e.Class == sinkd.Data:
		good := slices.DeleteFunc(eventsOf(log), func(e event) bool { return secret(fmt.Sprint(e.fields)) })
		p.must(p.store.Apply(p.Context(), 0, p.batch(good)))
	case e.Class == sinkd.Fenced, p.c.role:
	default:
		p.recover(log)
	}
}

// recover lands the batch once the cause is gone.
func (p *provocation) recover(log string) {
	p.Helper()
	if p.c.mend != "" {
		p.exec(p.c.mend)
	}
	if p.c.anew {
		t, err := p.store.Table(p.Context(), p.route, "t")
		p.must(err)
		p.table = t
	}
	p.must(p.retried(func() error { return p.store.Apply(p.Context(), 0, p.batch(eventsOf(log))) }))
}

// judge looks at what the error says.
func (p *provocation) judge(e *sinkd.Error, b *sinkd.Batch) {
	p.Helper()
	if !slices.Contains(strings.Split(p.c.state, "|"), e.SQLState) {
		p.Errorf("SQLSTATE %q, want %q: %v", e.SQLState, p.c.state, e)
	}
	if (e.Kind == sinkd.Refused) != (e.Class == sinkd.Configuration) || e.Split != (p.c.row == smallerRow) || e.Wait != (p.c.row == waitRow) {
		p.Errorf("kind %q, split %v, wait %v", e.Kind, e.Split, e.Wait)
	}
	aimed := e.Class == sinkd.Data || e.Class == sinkd.Schema || p.c.name == "no partition for the row"
	if aimed && e.Table != "public.target" && e.Table != "public.base" {
		p.Errorf("table %q", e.Table)
	}
	if aimed && e.Topic != "t" && !strings.Contains(p.c.name, "COMMIT") {
		p.Errorf("topic %q", e.Topic)
	}
	if !strings.Contains(e.Error(), p.c.says) || !strings.Contains(e.Hint, p.c.hint) {
		p.Errorf("the error says %q, and %q; want %q, and %q", e.Err, e.Hint, p.c.says, p.c.hint)
	}
	if e.Certain && e.Class != sinkd.Data {
		p.Error("a record is blamed for what is not its fault")
	}
	if secret(e.Error()) {
		p.Errorf("row data in %q", e)
	}
	named := p.c.named && p.mode == sinkd.Append || p.c.stagedNamed && p.mode == sinkd.Upsert
	last := b.Ranges[0].Records.Offset(b.Ranges[0].Records.Len() - 1)
	if named != (e.Record != nil) || named && e.Record.Offset != last {
		p.Errorf("record %v, want named: %v", e.Record, named)
	}
}

// secret tells that a text holds a value of the refused record.
func secret(text string) bool {
	return strings.Contains(text, "secret") || strings.Contains(text, "7777")
}

// wanted is the class of the condition's row.
func (c *condition) wanted() sinkd.Class {
	word, _, _ := strings.Cut(errorTable[c.row].class, ",")
	for class := sinkd.Transient; class <= sinkd.Configuration; class++ {
		if class.String() == word {
			return class
		}
	}
	panic("no class " + word)
}

// renewed lets the batch be applied by a session that is made for it.
func (p *provocation) renewed() { p.via = p.open() }

// elsewhere lets the batch be applied under another user or in another database.
func (p *provocation) elsewhere(user, database string) {
	u, err := url.Parse(p.url)
	p.must(err)
	if user != "" {
		u.User = url.UserPassword("postgres", "wrong")
	}
	if database != "" {
		u.Path = database
	}
	p.via = p.open(func(c *store.Config) { c.URL = func() (string, error) { return u.String(), nil } })
}

// cut lets the batch be applied through a connection that breaks in the middle.
func (p *provocation) cut() {
	f := *p.fixture
	proxy := f.proxied()
	proxy.Match("sinkd/")
	proxy.CutInCopy(1, 1)
	p.via = f.open()
}

var update = flag.Bool("update", false, "write the tables of docs/errors.md anew")

// TestErrorsDocument compares docs/errors.md with the tables of this package's
// tests. Each row of the error table has a condition that is provoked.
func TestErrorsDocument(t *testing.T) {
	met := make(map[int]bool)
	var rows, all strings.Builder
	for _, c := range conditions {
		met[c.row] = true
		state := strings.Join(strings.FieldsFunc(c.state, func(r rune) bool { return r == '|' }), ", ")
		fmt.Fprintf(&all, "| %s | %s | %s |\n", c.name, state, errorTable[c.row].class)
	}
	for i, row := range errorTable {
		fmt.Fprintf(&rows, "| %s | %s |\n", row.condition, row.class)
		if !met[i] {
			t.Errorf("nothing provokes %q", row.condition)
		}
	}
	const path = "../docs/errors.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for head, body := range map[string]string{
		"| condition | class |\n|---|---|\n":               rows.String(),
		"| provoked | SQLSTATE | class |\n|---|---|---|\n": all.String(),
	} {
		before, rest, ok := strings.Cut(want, head)
		_, after, end := strings.Cut(rest, "\n\n")
		if !ok || !end {
			t.Fatalf("%s has no table %q", path, head)
		}
		want = before + head + body + "\n" + after
	}
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the tests say: run `make generate`", path)
	}
}
