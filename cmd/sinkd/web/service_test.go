package web_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// lookService looks at the page of a real process, from its first records to
// the loss of Kafka and PostgreSQL.
func lookService(v *visit) {
	t, b := v.T, v.browser
	cluster := lab.Cluster(t, kfake.SeedTopics(2, "orders"))
	s := &site{TB: t, database: lab.Database(t)}
	var err error
	s.db, err = pgx.Connect(t.Context(), s.database)
	s.must(err)
	t.Cleanup(func() { _ = s.db.Close(context.Background()) })
	s.sql(`CREATE TABLE orders (id bigint NOT NULL, note text)`)
	proxy, err := lab.StartProxy(s.database)
	lab.Require(t, err)
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic("orders"))
	s.must(err)
	t.Cleanup(producer.Close)
	produce := func(n int, form string) {
		var records []*kgo.Record
		for i := range n {
			records = append(records, kgo.StringRecord(fmt.Sprintf(form, i)))
		}
		s.must(producer.ProduceSync(t.Context(), records...).FirstErr())
	}
	s.run(t, cluster.ListenAddrs()[0], proxy.URL(s.database))
	produce(1000, `{"id": %d, "note": "n"}`)

	p := s.open(b, 1180, false)
	p.run(chromedp.SendKeys(chromedp.CSS("#token"), "s3cret"+kb.Enter))
	p.says("running, exactly-once, 0.0 s behind, last commit ")
	p.says("2 partitions, none behind")
	p.until(`/^[1-9]\d* batch/.test(document.getElementById('batches-say').innerText)`)
	p.run(chromedp.Focus(chromedp.CSS("#bars")), chromedp.KeyEvent(kb.End))
	p.until(`/wait .*, build .*, copy .*, merge .*, commit /.test(document.getElementById('batch').innerText)`)
	before := eval[string](p, `document.getElementById('parts').innerText`)
	produce(500, `{"id": 1%d, "note": "n"}`)
	p.until(fmt.Sprintf(`document.getElementById('parts').innerText !== %q`, before))
	p.until(`document.getElementById('person').hidden`)
	produce(2, `{"id": "none", "note": "%d"}`)
	p.says("Needs a person (1)")
	p.says("2 dead letters")
	p.run(chromedp.Click(chromedp.CSS("#letters summary")))
	p.says(`"id": "none"`)
	p.shot("service")
	proxy.Close()
	p.says("PostgreSQL does not answer this page since")
	p.says("2 partitions")
	cluster.Close()
	p.until(`/^retrying: .*(Kafka|PostgreSQL) fails since/.test(document.getElementById('sentence').innerText)`)
	p.shot("service-away")
}

// run starts a sinkd process that ends with the test.
func (s *site) run(t *testing.T, brokers, database string) {
	t.Helper()
	path, err := lab.Build("github.com/sinkd/sinkd/cmd/sinkd")
	lab.Require(t, err)
	addr, err := lab.FreeAddr()
	s.must(err)
	s.url = "http://" + addr
	process, err := lab.StartProcess(lab.ProcessOptions{Path: path, Args: []string{"run"}, Env: []string{
		"SINKD_KAFKA_BROKERS=" + brokers, "SINKD_TOPICS=orders", "SINKD_DATABASE_URL=" + database,
		"SINKD_HTTP_ADDR=" + addr, "SINKD_HTTP_TOKEN=s3cret", "SINKD_LANES=2",
	}})
	s.must(err)
	t.Cleanup(func() {
		_ = process.Kill()
		if t.Failed() {
			t.Logf("sinkd:\n%s", process.Output())
		}
	})
	dialer := net.Dialer{Timeout: time.Second}
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		if c, err := dialer.DialContext(t.Context(), "tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("sinkd does not listen")
		}
	}
}
