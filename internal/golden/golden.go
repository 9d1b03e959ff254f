// Package golden compares an op with values and gradients that another implementation computed, read from
// files that ops/testdata/goldenfile.py writes.
package golden

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// tolerance is relative to the largest value of a tensor: both sides sum at most some thousand float64 terms,
// in different orders.
const tolerance = 1e-9

// Case is one call of an op. Tensors holds its inputs x0, x1, …, its result y and, where there are gradients,
// dy (given to the result) and dx0, dx1, ….
type Case struct {
	Name    string
	Tensors map[string]*tensor.Dense
	attrs   string
}

// Load reads all cases of a file, in the order of their names.
func Load(t *testing.T, path string) []Case {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatalf("golden file: %+v", err)
	}
	defer f.Close()
	all, err := f.All()
	if err != nil {
		t.Fatalf("golden file: %+v", err)
	}
	byName := make(map[string]Case)
	for _, n := range all {
		name, part, _ := strings.Cut(n.Name, "/")
		c, ok := byName[name]
		if !ok {
			c = Case{Name: name, Tensors: make(map[string]*tensor.Dense), attrs: f.Metadata[name]}
			byName[name] = c
		}
		c.Tensors[part] = n.Value
	}
	if len(byName) == 0 {
		t.Fatalf("golden file %s holds no case", path)
	}
	var cases []Case
	for _, c := range byName {
		cases = append(cases, c)
	}
	sort.Slice(cases, func(a, b int) bool { return cases[a].Name < cases[b].Name })
	return cases
}

// Attrs decodes the attributes into a struct with fields of the same names.
func (c Case) Attrs(t *testing.T, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(c.attrs))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: attributes %s: %v", c.Name, c.attrs, err)
	}
}

// Inputs is x0, x1, … in the given type; integers become tensor.Int.
func (c Case) Inputs(dt tensor.Dtype) []*tensor.Dense {
	var in []*tensor.Dense
	for {
		x, ok := c.Tensors[fmt.Sprintf("x%d", len(in))]
		if !ok {
			return in
		}
		in = append(in, As(x, dt))
	}
}

// As converts a float64 tensor to dt and an int64 tensor to int.
func As(x *tensor.Dense, dt tensor.Dtype) *tensor.Dense {
	switch {
	case x.Dtype() == tensor.Int64:
		return convert[int](x.Int64s(), x.Shape())
	case x.Dtype() == tensor.Float64 && dt == tensor.Float32:
		return convert[float32](x.Float64s(), x.Shape())
	}
	return x.Clone().(*tensor.Dense)
}

func convert[To, From int | int64 | float32 | float64](x []From, shape tensor.Shape) *tensor.Dense {
	v := make([]To, len(x))
	for i, e := range x {
		v[i] = To(e)
	}
	if shape.IsScalar() {
		return tensor.New(tensor.FromScalar(v[0]))
	}
	return tensor.New(tensor.WithShape(shape.Clone()...), tensor.WithBacking(v))
}

// input is a node that holds x.
func input(g *gorgonia.ExprGraph, name string, x *tensor.Dense) *gorgonia.Node {
	if x.IsScalar() {
		return gorgonia.NewScalar(g, x.Dtype(), gorgonia.WithName(name), gorgonia.WithValue(x.ScalarValue()))
	}
	return gorgonia.NodeFromAny(g, x, gorgonia.WithName(name))
}

// Check builds the op over the case's inputs and compares its result and the gradient of each input that the
// file has one for: in float64 at 1e-9 of the largest value, in float32 at tol32 of it.
func (c Case) Check(t *testing.T, tol32 float64, build func(in []*gorgonia.Node) (*gorgonia.Node, error)) {
	t.Helper()
	for _, p := range []struct {
		dt  tensor.Dtype
		tol float64
	}{{tensor.Float64, tolerance}, {tensor.Float32, tol32}} {
		g := gorgonia.NewGraph()
		var in gorgonia.Nodes
		for i, x := range c.Inputs(p.dt) {
			in = append(in, input(g, fmt.Sprintf("x%d", i), x))
		}
		y, err := build(in)
		if err != nil {
			t.Errorf("%s, %v: %+v", c.Name, p.dt, err)
			return
		}
		outputs, want := gorgonia.Nodes{y}, []string{"y"}
		if dy, ok := c.Tensors["dy"]; ok {
			var wrt gorgonia.Nodes
			for i, x := range in {
				if name := fmt.Sprintf("dx%d", i); c.Tensors[name] != nil {
					wrt = append(wrt, x)
					want = append(want, name)
				}
			}
			seed := input(g, "dy", As(dy, p.dt))
			grads, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{seed}, wrt...)
			if err != nil {
				t.Errorf("%s, %v: %+v", c.Name, p.dt, err)
				return
			}
			outputs = append(outputs, grads...)
		}
		tape, err := graph.Compile(outputs, graph.Options{})
		if err != nil {
			t.Errorf("%s, %v: %+v", c.Name, p.dt, err)
			return
		}
		if err := tape.RunAll(); err != nil {
			t.Errorf("%s, %v: %+v", c.Name, p.dt, err)
			return
		}
		for i, n := range outputs {
			Compare(t, fmt.Sprintf("%s, %v: %s", c.Name, p.dt, want[i]), n.Value(), c.Tensors[want[i]], p.tol)
		}
	}
}

// Compare fails t where got is not of want's shape or differs from it by more than tol of want's largest value.
func Compare(t *testing.T, name string, got gorgonia.Value, want *tensor.Dense, tol float64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s has no value", name)
		return
	}
	if !got.Shape().Eq(want.Shape()) {
		t.Errorf("%s has shape %v, want %v", name, got.Shape(), want.Shape())
		return
	}
	w, g := floats(t, want), floats(t, got)
	scale := 0.0
	for _, v := range w {
		if !math.IsInf(v, 0) {
			scale = math.Max(scale, math.Abs(v))
		}
	}
	if scale == 0 {
		scale = 1
	}
	for i := range w {
		if e := math.Abs(g[i] - w[i]); g[i] != w[i] && !(e <= tol*scale) {
			t.Errorf("%s: element %d is %.12g, want %.12g (error %.2g of the largest value, at most %.2g allowed)", name, i, g[i], w[i], e/scale, tol)
			return
		}
	}
}

func floats(t *testing.T, v gorgonia.Value) []float64 {
	t.Helper()
	a, err := exec.FromValue(v)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	switch a.Dtype {
	case tensor.Float64:
		return exec.Data[float64](&a)
	case tensor.Float32:
		return convert[float64](exec.Data[float32](&a), tensor.Shape{a.Len()}).Float64s()
	case tensor.Int:
		return convert[float64](exec.Data[int](&a), tensor.Shape{a.Len()}).Float64s()
	case tensor.Int64:
		return convert[float64](exec.Data[int64](&a), tensor.Shape{a.Len()}).Float64s()
	}
	t.Fatalf("values of type %v cannot be compared", a.Dtype)
	return nil
}
