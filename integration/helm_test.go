package integration_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a part of a rendered manifest.
type object map[string]any

// at follows names and numbers down to a value, nil where there is none.
func (o object) at(path ...any) any {
	var v any = map[string]any(o)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// helm gives the path of Helm, the one that the Makefile builds first. Where
// there is none the test is skipped, or fails where CI=true.
func helm(t *testing.T) string {
	t.Helper()
	built, _ := filepath.Glob(filepath.Join("..", "bin", "helm-*"))
	if len(built) > 0 {
		return built[len(built)-1]
	}
	path, err := exec.LookPath("helm")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: helm is missing, so the chart is not rendered; make test builds it")
	}
	try(t, err)
	return path
}

// tryHelm runs Helm with values, and gives what it printed, also about an
// error.
func tryHelm(t *testing.T, command, values string) (string, error) {
	t.Helper()
	// A Helm that was built without flags believes in a Kubernetes of long ago.
	args := []string{command, "--kube-version", "1.33.0"}
	if command == "template" {
		args = append(args, "flow", "--namespace", "data")
	}
	cmd := exec.CommandContext(t.Context(), helm(t), append(args, filepath.Join("..", "deploy", "helm"), "--values", "-")...)
	cmd.Stdin = strings.NewReader(values)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		return out.String() + trouble.String(), err
	}
	return out.String(), nil
}

// render gives the chart's objects by kind and name.
func render(t *testing.T, values string) map[string]object {
	t.Helper()
	out, err := tryHelm(t, "template", values)
	if err != nil {
		t.Fatalf("helm template: %v\n%s\n%s", err, values, out)
	}
	objects := map[string]object{}
	decoder := yaml.NewDecoder(strings.NewReader(out))
	for {
		var m map[string]any // objects within would be of the type of this
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			t.Fatalf("%v\n%s", err, out)
		case m == nil:
			continue
		}
		o := object(m)
		name, _ := o.at("metadata", "name").(string)
		kind, _ := o["kind"].(string)
		key := kind + "/" + name
		if _, twice := objects[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		objects[key] = o
	}
}
