package web

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Info are facts that metrics carry as labels.
type Info struct {
	Version, Revision, Delivery, Mode, Isolation string
}

// Registry makes a registry with the series of process and runtime, those of
// the build, and those that follow from the status.
func Registry(pipeline string, info Info, status func() Status) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ours := prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": pipeline}, reg)
	one := func(name, help string, labels prometheus.Labels) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels})
		g.Set(1)
		ours.MustRegister(g)
	}
	one("sinkd_build_info", "The build.", prometheus.Labels{"version": info.Version, "revision": info.Revision})
	one("sinkd_pipeline_info", "The pipeline's ways.",
		prometheus.Labels{"delivery": info.Delivery, "mode": info.Mode, "isolation": info.Isolation})
	ours.MustRegister(&collector{
		status: status,
		state:  prometheus.NewDesc("sinkd_pipeline_state", "1 for the state that the pipeline is in.", []string{"state"}, nil),
		lanes:  prometheus.NewDesc("sinkd_lanes", "Lanes by what they do.", []string{"state"}, nil),
		flight: prometheus.NewDesc("sinkd_inflight_bytes", "Memory of the records in flight.", nil, nil),
	})
	return reg
}

// collector reads the status when it is asked.
type collector struct {
	status               func() Status
	state, lanes, flight *prometheus.Desc
}

// Describe names the series.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.state
	ch <- c.lanes
	ch <- c.flight
}

// Collect gives the series as the status is now.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	for _, phase := range []string{"starting", "running", "retrying", "paused", "halted"} {
		v := 0.0
		if phase == s.Phase {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, v, phase)
	}
	count := map[string]int{}
	for _, l := range s.Lanes {
		count[l.State]++
	}
	for _, state := range []string{"idle", "building", "writing", "waiting"} {
		ch <- prometheus.MustNewConstMetric(c.lanes, prometheus.GaugeValue, float64(count[state]), state)
	}
	ch <- prometheus.MustNewConstMetric(c.flight, prometheus.GaugeValue, float64(s.Inflight))
}
