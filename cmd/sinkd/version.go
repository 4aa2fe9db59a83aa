package main

import (
	"runtime/debug"
)

// versionCommand prints the version.
type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (versionCommand) Help() string { return "Example:\n\n    sinkd version" }

// Run prints version, revision and Go's version.
func (v versionCommand) Run(p *program) error {
	b := readBuild()
	if v.JSON {
		return printJSON(p.stdout, struct {
			Version  string `json:"version"`
			Revision string `json:"revision,omitempty"`
			Go       string `json:"go"`
		}{b.version, b.revision, b.goVersion})
	}
	p.printf("sinkd %s", b.version)
	if b.revision != "" {
		p.printf(" (%s)", b.revision)
	}
	p.printf(" %s\n", b.goVersion)
	return nil
}

// build is what the linker noted of this binary.
type build struct{ version, revision, goVersion string }

func readBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{version: "unknown"}
	}
	b := build{version: info.Main.Version, goVersion: info.GoVersion}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.revision = s.Value[:min(12, len(s.Value))]
		}
	}
	return b
}
