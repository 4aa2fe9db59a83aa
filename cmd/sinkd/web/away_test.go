package web_test

import (
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/stream"
)

func lookPostgresAway(v *visit) {
	t, b := v.T, v.browser
	var proxy *lab.Proxy
	s := newSite(t, "", func(u string) string {
		var err error
		proxy, err = lab.StartProxy(u)
		lab.Require(t, err)
		return proxy.URL(u)
	})
	s.partitions("orders", 4)
	s.batches("orders", 50)
	p := s.open(b, 1180, false)
	p.says("50 batches")
	proxy.Close()
	st := *s.state.Load()
	st.Phase, st.Ready = "retrying", false
	st.Outages = []stream.Outage{{
		Dependency: "postgres", Since: time.Now().Add(-time.Minute), Attempts: 41, Next: time.Now().Add(5 * time.Second),
		Error: "terminating connection due to administrator command (SQLSTATE 57P01)",
	}}
	s.state.Store(&st)
	p.says("retrying: PostgreSQL fails since ")
	p.says("SQLSTATE 57P01")
	p.says("attempt 41, next in")
	p.says("PostgreSQL does not answer this page since")
	p.says("orders[0]") // what it knew
	p.says("50 batches")
	p.shot("postgres-away")
}

func lookKafkaAway(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	st := *s.state.Load()
	st.Phase, st.Ready = "retrying", false
	st.Outages = []stream.Outage{{
		Dependency: "kafka", Since: time.Now().Add(-3 * time.Minute), Attempts: 7, Next: time.Now().Add(2 * time.Second),
		Error: "unable to dial: dial tcp 10.0.0.7:9092: connect: connection refused",
	}}
	s.state.Store(&st)
	p := s.open(b, 1180, false)
	p.says("retrying: Kafka fails since ")
	p.says("(3 min)")
	p.says("as last known, nothing is behind")
	p.says("orders[0]")
	p.shot("kafka-away")
}

func lookServiceAway(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	p := s.open(b, 1180, false)
	p.says("4 partitions")
	s.stop()
	p.says("sinkd does not answer since")
	p.says("4 partitions")
	p.run(chromedp.Navigate("about:blank"))
	p.pardon("ERR_")
	p.pardon("about:blank")
}

// lookIdempotent looks at a process whose database keeps no tables of sinkd: all
// that is shown is what the process knows itself.
func lookIdempotent(v *visit) {
	t, b := v.T, v.browser
	s := newPlainSite(t)
	s.own("orders", 899800, 900000)
	s.lands(40)
	p := s.open(b, 1180, false)
	p.says("running, idempotent, 0.2 s behind, last commit ")
	p.says("40 batches of this process, which no ledger keeps")
	p.says("1 partition, 1 behind")
	p.says("None are kept: a bad record stops its partition.")
	p.says("sinkd status asks the consumer group")
	p.says("there is no ledger to prove anything by")
	p.until(`document.getElementById('stale').hidden && document.getElementById('person').hidden`)
	p.until(`document.querySelectorAll('#rates canvas').length === 1`)
	p.shot("idempotent")
	st := *s.state.Load()
	st.Partitions = []stream.PartitionState{{
		Topic: "orders", State: "halted", Incident: "bad_record", Detail: "offset 899800: column id (bigint): a string that is no number",
		Position: 899800, Lag: 200, LogStart: 100000, End: 900000,
	}}
	s.state.Store(&st)
	p.says("halted: orders[0], a bad record")
	p.says("column id (bigint): a string that is no number")
	p.says("sinkd check")
	p.shot("idempotent-halted")
}
