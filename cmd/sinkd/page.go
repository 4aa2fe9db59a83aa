package main

import (
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/cmd/sinkd/web"
)

// pageConfig is what the page is told.
func (s *service) pageConfig() web.PageConfig {
	c := web.PageConfig{Status: s.status, Landings: s.flow.Landings, Payloads: s.cfg.HTTPToken != ""}
	if !s.cfg.Idempotent() {
		c.Ledger = s.store
	}
	for _, v := range s.cfg.Settings() {
		c.Settings = append(c.Settings, web.Setting{Name: v.Name, Value: v.Value})
	}
	for _, r := range s.cfg.Routes {
		c.Settings = append(c.Settings, web.Setting{Name: "route", Value: config.Describe(r)})
	}
	return c
}
