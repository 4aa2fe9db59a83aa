package integration_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// composeFile is what the tests want to know of docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Build       any               `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	User        string            `yaml:"user"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Profiles    []string          `yaml:"profiles"`
	Restart     string            `yaml:"restart"`
	Grace       string            `yaml:"stop_grace_period"`
	Healthcheck struct {
		Test any `yaml:"test"`
	} `yaml:"healthcheck"`
	Deploy struct {
		Replicas int `yaml:"replicas"`
	} `yaml:"deploy"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// own tells whether the service runs an image of this repository.
func (s *composeService) own() bool { return s.Build != nil }

// loadCompose reads docker-compose.yml.
func loadCompose(t *testing.T) composeFile {
	t.Helper()
	var file composeFile
	b, err := os.ReadFile(filepath.Join("..", "docker-compose.yml"))
	try(t, err)
	try(t, yaml.Unmarshal(b, &file))
	return file
}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	file := loadCompose(t)
	want := []string{"grafana", "kafka", "migrate", "orders", "postgres", "prometheus", "sinkd"}
	if got := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	for name, s := range file.Services {
		if profiled := len(s.Profiles) > 0; profiled != (name == "prometheus" || name == "grafana") {
			t.Errorf("%s: profiles %v", name, s.Profiles)
		}
		if !s.own() && s.Image[strings.LastIndex(s.Image, ":")+1:] == "latest" {
			t.Errorf("%s: image %s has no version", name, s.Image)
		}
		checkShut(t, name, &s)
		checkMounts(t, name, &s, file.Volumes)
	}
	if n := file.Services["sinkd"].Deploy.Replicas; n != 2 {
		t.Errorf("%d replicas of sinkd, want 2", n)
	}
	if got := file.Services["postgres"].Volumes; !slices.Equal(got, []string{"postgres:/var/lib/postgresql"}) {
		t.Errorf("volumes of postgres: %v", got)
	}
	if k := file.Services["kafka"]; !slices.Contains(k.Volumes, "kafka:"+k.Environment["KAFKA_LOG_DIRS"]) {
		t.Errorf("the log of kafka, %q, is on none of its volumes %v", k.Environment["KAFKA_LOG_DIRS"], k.Volumes)
	}
	if got := fmt.Sprint(file.Services["sinkd"].Healthcheck.Test); got != "[CMD /sinkd status --ready]" {
		t.Errorf("health of sinkd by %s", got)
	}
}

// checkShut wants ports on this host only, and the services of this repository
// without rights.
func checkShut(t *testing.T, name string, s *composeService) {
	t.Helper()
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("%s: port %s is open to other hosts", name, port)
		}
	}
	if s.own() && (s.User != "65532:65532" || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"})) {
		t.Errorf("%s: user %q, read-only %v, dropped %v", name, s.User, s.ReadOnly, s.CapDrop)
	}
	if s.own() && !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("%s: security_opt %v", name, s.SecurityOpt)
	}
}

// checkMounts wants what is mounted to be there: Docker would make a directory
// of a file that is missing.
func checkMounts(t *testing.T, name string, s *composeService, volumes map[string]any) {
	t.Helper()
	for _, mount := range s.Volumes {
		source, _, _ := strings.Cut(mount, ":")
		if _, volume := volumes[source]; volume {
			continue
		}
		if info, err := os.Stat(filepath.Join("..", source)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %s is no file of this repository", name, source)
		}
	}
}

// TestComposeOrder has each service wait for what it needs.
func TestComposeOrder(t *testing.T) {
	t.Parallel()
	file := loadCompose(t)
	for name, s := range file.Services {
		for on, d := range s.DependsOn {
			other, known := file.Services[on]
			switch {
			case !known:
				t.Errorf("%s depends on %s, which does not exist", name, on)
			case d.Condition == "service_healthy" && other.Healthcheck.Test == nil:
				t.Errorf("%s waits for the health of %s, which has no check", name, on)
			case d.Condition == "service_completed_successfully" && other.Restart != "":
				t.Errorf("%s waits for the end of %s, which is started again", name, on)
			}
		}
	}
	if got := file.Services["sinkd"].DependsOn["migrate"].Condition; got != "service_completed_successfully" {
		t.Errorf("sinkd waits for migrate until %q", got)
	}
}

// TestComposeConfiguration has all variables known and accepted.
func TestComposeConfiguration(t *testing.T) {
	t.Parallel()
	file := loadCompose(t)
	for name, need := range map[string]config.Need{"sinkd": config.Flow, "migrate": config.Database} {
		s := file.Services[name]
		c, err := config.Load(env(s.Environment).list(), need)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for variable := range s.Environment {
			if !strings.HasPrefix(variable, "SINKD_") {
				t.Errorf("%s: variable %s", name, variable)
			}
		}
		if name != "sinkd" {
			continue
		}
		// Beyond the drain the process gives itself a few seconds more.
		if grace, err := time.ParseDuration(s.Grace); err != nil || grace < c.DrainTimeout+10*time.Second {
			t.Errorf("%s has %s to stop, and drains for %s", name, s.Grace, c.DrainTimeout)
		}
	}
}

// TestDockerfile has images with nothing in them but the program.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	try(t, err)
	stages := strings.Split(string(b), "\nFROM ")
	if len(stages) != 3 {
		t.Fatalf("%d stages", len(stages))
	}
	for _, stage := range stages[1:] {
		if !strings.HasPrefix(stage, "scratch") || !strings.Contains(stage, "\nUSER 65532:65532\n") {
			t.Errorf("a stage is not from scratch, or not of the user 65532:\n%s", stage)
		}
	}
	if !strings.Contains(stages[2], `ENTRYPOINT ["/sinkd"]`) {
		t.Error("the last stage, which a build without target makes, is not sinkd's")
	}
	if strings.Contains(text(t, ".dockerignore"), ".git") {
		t.Error("the build does not see the repository, so the program does not know its version")
	}
}
