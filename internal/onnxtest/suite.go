package onnxtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/pkg/errors"
)

// EnvDir names the folder that holds node/test_abs/model.onnx and so on, where it is not Debian's.
const EnvDir = "ONNX_TEST_DATA"

// debianDir is where the package libonnx-testdata puts it.
const debianDir = "/usr/share/libonnx-testdata/data"

// Dir is the folder with the test data, or an error that says how to get it.
func Dir() (string, error) {
	dir := os.Getenv(EnvDir)
	if dir == "" {
		dir = debianDir
	}
	if _, err := os.Stat(filepath.Join(dir, "node")); err != nil {
		return "", errors.Errorf("no ONNX operator tests in %s: install Debian's libonnx-testdata or set %s", dir, EnvDir)
	}
	return dir, nil
}

// Case is one operator test.
type Case struct {
	Name  string // without "test_"
	Model *Model
	Sets  []Set
	Err   error // the model or a tensor could not be decoded
}

// Set is inputs and what must come out, in the order of the graph's.
type Set struct{ Inputs, Outputs []*Tensor }

// Load reads every test of a group ("node") under dir, in the order of their names.
func Load(dir, group string) ([]Case, error) {
	paths, err := filepath.Glob(filepath.Join(dir, group, "test_*", "model.onnx"))
	if err != nil || len(paths) == 0 {
		return nil, errors.Errorf("no tests in %s", filepath.Join(dir, group))
	}
	sort.Strings(paths)
	var cases []Case
	for _, path := range paths {
		c := Case{Name: filepath.Base(filepath.Dir(path))[len("test_"):]}
		c.Err = c.read(filepath.Dir(path))
		cases = append(cases, c)
	}
	return cases, nil
}

func (c *Case) read(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return errors.WithStack(err)
	}
	if c.Model, err = ParseModel(b); err != nil {
		return err
	}
	for k := 0; ; k++ {
		at := filepath.Join(dir, fmt.Sprintf("test_data_set_%d", k))
		if _, err := os.Stat(at); err != nil {
			break
		}
		var s Set
		if s.Inputs, err = readTensors(at, "input"); err != nil {
			return err
		}
		if s.Outputs, err = readTensors(at, "output"); err != nil {
			return err
		}
		c.Sets = append(c.Sets, s)
	}
	if len(c.Sets) == 0 {
		return errors.New("no data")
	}
	return nil
}

func readTensors(dir, kind string) ([]*Tensor, error) {
	var tensors []*Tensor
	for k := 0; ; k++ {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, k)))
		if os.IsNotExist(err) {
			return tensors, nil
		}
		if err != nil {
			return nil, errors.WithStack(err)
		}
		t, err := ParseTensor(b)
		if err != nil {
			return nil, errors.Wrapf(err, "%s %d", kind, k)
		}
		tensors = append(tensors, t)
	}
}
