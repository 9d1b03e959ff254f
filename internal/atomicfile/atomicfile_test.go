package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := Write(path, text("one")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, text("two")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "two" {
		t.Errorf("content %q, want two", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want the 0640 that the file had", info.Mode().Perm())
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("folder holds %v, want a.txt alone", got)
	}
}

func TestWriteRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("b.txt", text("here")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, "b.txt"); got != "here" {
		t.Errorf("content %q", got)
	}
}

func TestFailureLeavesOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := Write(path, text("one")); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("x", 1<<20))
		return errors.New("disk on fire")
	})
	if err == nil || !strings.Contains(err.Error(), "disk on fire") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want the cause and the path", err)
	}
	if got := content(t, path); got != "one" {
		t.Errorf("content %q, want the old one", got)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("folder holds %v, want a.txt alone", got)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	if err := Write(filepath.Join(dir, "no", "a.txt"), text("")); err == nil {
		t.Error("no error for a folder that does not exist")
	}
	if err := Write(dir, text("")); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("error %v, want one that says that the path is a folder", err)
	}
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a.txt", ".a.txt.0123abcd.tmp", ".b.txt.0123abcd.tmp", ".a.txt.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Leftovers(filepath.Join(dir, "a.txt")); err != nil {
		t.Fatal(err)
	}
	want := ".a.txt.tmp .b.txt.0123abcd.tmp a.txt"
	if got := strings.Join(names(t, dir), " "); got != want {
		t.Errorf("folder holds %q, want %q", got, want)
	}
}
