package lab

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// A port that one program was given is not given to another one, though nobody
// listens on it.
func TestPortsAreGivenOnce(t *testing.T) {
	const asked = "LAB_TEST_PORT"
	try := func(port int) bool {
		_, err := drawPort(port, port+1)
		return err == nil
	}
	if s := os.Getenv(asked); s != "" {
		port, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := freePort(); err != nil {
			t.Fatal(err)
		}
		if try(port) {
			t.Fatal("given again")
		}
		return
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if try(port) {
		t.Error("given twice to one program")
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPortsAreGivenOnce$", "-test.v")
	other.Env = append(os.Environ(), asked+"="+strconv.Itoa(port))
	if out, err := other.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("another program: %v\n%s", err, out)
	}
}
