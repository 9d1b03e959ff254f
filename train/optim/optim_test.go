package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/zoo/weights"
	"gorgonia.org/tensor"
)

// decodeOptimizer makes an optimiser from a golden file's metadata.
func decodeOptimizer(t *testing.T, text string) (Optimizer, float64) {
	t.Helper()
	var c struct {
		Optimizer string
		Rate      float64
		Settings  json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	decode := func(into any) {
		d := json.NewDecoder(strings.NewReader(string(c.Settings)))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	switch c.Optimizer {
	case "SGD":
		var o SGD
		decode(&o)
		return o, c.Rate
	case "Adam":
		var o Adam
		decode(&o)
		return o, c.Rate
	case "AdamW":
		var o AdamW
		decode(&o)
		return o, c.Rate
	case "NAdam":
		var o NAdam
		decode(&o)
		return o, c.Rate
	case "RMSProp":
		var o RMSProp
		decode(&o)
		return o, c.Rate
	case "Adagrad":
		var o Adagrad
		decode(&o)
		return o, c.Rate
	case "LAMB":
		var o LAMB
		decode(&o)
		return o, c.Rate
	}
	t.Fatalf("optimiser %q", c.Optimizer)
	return nil, 0
}

// all is every optimiser, with settings that use every slot.
var all = []Optimizer{
	SGD{}, SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-3}, Adam{}, AdamW{}, NAdam{},
	RMSProp{}, RMSProp{Momentum: 0.5}, RMSProp{Centered: true, Momentum: 0.5}, Adagrad{Initial: 0.1}, LAMB{},
}

func mustNew(t testing.TB, cfg Config, params ...Param) *State {
	t.Helper()
	s, err := New(cfg, params)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dense(v ...float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(slices.Clone(v)))
}

func matrix(v ...float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(1, len(v)), tensor.WithBacking(slices.Clone(v)))
}

func as(t *tensor.Dense, dt tensor.Dtype) *tensor.Dense {
	if dt == tensor.Float64 {
		return t.Clone().(*tensor.Dense)
	}
	out := tensor.New(tensor.Of(dt), tensor.WithShape(t.Shape()...))
	for i, v := range t.Float64s() {
		out.Float32s()[i] = float32(v)
	}
	return out
}

func floats(t *tensor.Dense) []float64 {
	if t.Dtype() == tensor.Float64 {
		return t.Float64s()
	}
	out := make([]float64, len(t.Float32s()))
	for i, v := range t.Float32s() {
		out[i] = float64(v)
	}
	return out
}

func distance(a, b []float64) float64 {
	worst := 0.0
	for i := range a {
		if d := math.Abs(a[i] - b[i]); !(d <= worst) { // so that NaN counts as the worst
			worst = d
		}
	}
	return worst
}

// TestTorch compares every optimiser with PyTorch after 1 and 20 steps, see testdata/gen.py.
func TestTorch(t *testing.T) {
	f, err := weights.Open("testdata/optim.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) *tensor.Dense {
		v, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	w, g := read("all/w"), read("all/g")
	cases := 0
	for name, text := range f.Metadata {
		if !strings.HasPrefix(text, "{") {
			continue // a remark
		}
		cases++
		for _, c := range []struct {
			dt        tensor.Dtype
			bits      int
			tolerance float64 // the parameters are of size 1, so this is also relative
		}{
			{tensor.Float64, 64, 1e-12}, // 20 steps of some ten roundings of 1e-16
			{tensor.Float32, 32, 1e-6},  // the same with 6e-8, which mostly cancel
		} {
			o, rate := decodeOptimizer(t, text)
			p := Param{Name: "w", Value: as(w, c.dt)}
			s := mustNew(t, Config{Optimizer: o}, p)
			n := elements(w)
			for step := 1; step <= 20; step++ {
				s.Params()[0].Grad = as(tensor.New(tensor.WithShape(5, 7), tensor.WithBacking(g.Float64s()[(step-1)*n:step*n])), c.dt)
				if updated, err := s.Step(rate); err != nil || !updated {
					t.Fatalf("%s: updated %v, error %v", name, updated, err)
				}
				if step == 1 || step == 20 {
					want := floats(read(fmt.Sprintf("%s/%d/%d", name, c.bits, step)))
					if d := distance(floats(p.Value), want); !(d <= c.tolerance) {
						t.Errorf("%s: %v, step %d: differs by %.2g, at most %g is rounding", name, c.dt, step, d, c.tolerance)
					}
				}
			}
		}
	}
	if cases < 20 {
		t.Errorf("%d cases in the golden file, want at least 20", cases)
	}
}

// TestUpdateAlone: a parameter updated by itself, with slots of the caller's, goes where Step takes it.
func TestUpdateAlone(t *testing.T) {
	for _, o := range all {
		value, grad := matrix(1, -2, 3), matrix(0.1, 0.2, -0.3)
		p := Param{Name: "w", Value: value.Clone().(*tensor.Dense), Grad: grad}
		for _, slot := range o.Slots() {
			v := matrix(slot.Init, slot.Init, slot.Init)
			if slot.Scalar {
				v = tensor.New(tensor.FromScalar(slot.Init))
			}
			p.Slots = append(p.Slots, v)
		}
		s := mustNew(t, Config{Optimizer: o}, Param{Name: "w", Value: value, Grad: grad})
		for step := 1; step <= 3; step++ {
			if err := o.Update(&p, 0.1, step); err != nil {
				t.Fatal(err)
			}
			if err := s.Update(0, 0.1); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(p.Value.Float64s(), value.Float64s()) {
			t.Errorf("%T: alone %v, by State %v", o, p.Value.Float64s(), value.Float64s())
		}
		if !slices.Equal(grad.Float64s(), []float64{0.1, 0.2, -0.3}) {
			t.Errorf("%T: the gradient was changed to %v", o, grad.Float64s())
		}
	}
}

// TestParamFactors: RateScale scales the rate, GradScale the gradient, NoDecay switches decay off.
func TestParamFactors(t *testing.T) {
	run := func(o Optimizer, p Param, rate float64) []float64 {
		t.Helper()
		for _, slot := range o.Slots() {
			v := matrix(slot.Init, slot.Init)
			if slot.Scalar {
				v = tensor.New(tensor.FromScalar(slot.Init))
			}
			p.Slots = append(p.Slots, v)
		}
		for step := 1; step <= 3; step++ {
			if err := o.Update(&p, rate, step); err != nil {
				t.Fatal(err)
			}
		}
		return p.Value.Float64s()
	}
	for _, o := range all {
		base := run(o, Param{Value: matrix(1, -2), Grad: matrix(0.5, 0.25)}, 0.02)
		if got := run(o, Param{Value: matrix(1, -2), Grad: matrix(0.5, 0.25), RateScale: 0.2}, 0.1); distance(got, base) > 1e-15 { // 0.2·0.1 is not quite 0.02
			t.Errorf("%T: rate scale: %v, want %v", o, got, base)
		}
		if got := run(o, Param{Value: matrix(1, -2), Grad: matrix(2, 1), GradScale: 0.25}, 0.02); !slices.Equal(got, base) {
			t.Errorf("%T: gradient scale: %v, want %v", o, got, base)
		}
	}
	for _, c := range []struct{ with, without Optimizer }{
		{SGD{WeightDecay: 0.1}, SGD{}},
		{SGD{Momentum: 0.5, WeightDecay: 0.1}, SGD{Momentum: 0.5}},
		{Adam{WeightDecay: 0.1}, Adam{}},
		{AdamW{}, Adam{}},
		{NAdam{WeightDecay: 0.1}, NAdam{}},
		{RMSProp{WeightDecay: 0.1}, RMSProp{}},
		{RMSProp{Centered: true, WeightDecay: 0.1}, RMSProp{Centered: true}},
		{Adagrad{WeightDecay: 0.1}, Adagrad{}},
		{LAMB{WeightDecay: 0.1}, LAMB{WeightDecay: Zero}},
	} {
		p := func(no bool) Param { return Param{Value: matrix(1, -2), Grad: matrix(0.5, 0.25), NoDecay: no} }
		want := run(c.without, p(false), 0.02)
		if got := run(c.with, p(true), 0.02); !slices.Equal(got, want) {
			t.Errorf("%T: without decay %v, want %v", c.with, got, want)
		}
		if got := run(c.with, p(false), 0.02); slices.Equal(got, want) {
			t.Errorf("%T: decay changed nothing", c.with)
		}
	}
}

// TestCenteredStaysFinite: the denominator is never the root of a negative number.
func TestCenteredStaysFinite(t *testing.T) {
	// A constant gradient drives v − a² to 0, where rounding makes it negative now and then.
	value := tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{1}))
	grad := tensor.New(tensor.WithShape(1, 1), tensor.WithBacking([]float32{0.3}))
	s := mustNew(t, Config{Optimizer: RMSProp{Centered: true, Alpha: 0.5}}, Param{Name: "w", Value: value, Grad: grad})
	for range 200 {
		if _, err := s.Step(1e-9); err != nil {
			t.Fatal(err)
		}
	}
	if v := float64(value.Float32s()[0]); math.IsNaN(v) || math.IsInf(v, 0) {
		t.Errorf("weight %v", v)
	}
}

func TestSettingErrors(t *testing.T) {
	for _, c := range []struct {
		o    Optimizer
		want string
	}{
		{SGD{Nesterov: true}, "Nesterov needs momentum"},
		{SGD{Momentum: 0.9, Dampening: 0.1, Nesterov: true}, "no dampening"},
		{SGD{Momentum: 1}, "momentum 1, want 0 ≤ momentum < 1"},
		{SGD{WeightDecay: -1}, "weight decay -1"},
		{Adam{Beta1: 1}, "Adam: β₁ 1"},
		{AdamW{Beta2: -0.1}, "AdamW: β₂ -0.1"},
		{NAdam{MomentumDecay: -1}, "momentum decay"},
		{RMSProp{Alpha: math.NaN()}, "α NaN"},
		{Adagrad{Initial: -1}, "initial sum"},
		{LAMB{Eps: -1}, "LAMB: ε -1"},
	} {
		if _, err := New(Config{Optimizer: c.o}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.o, err, c.want)
		}
		p := Param{Name: "w", Value: matrix(1), Grad: matrix(1)}
		if err := c.o.Update(&p, 0.1, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v from Update, want one with %q", c.o, err, c.want)
		}
	}
}

func TestParamErrors(t *testing.T) {
	single := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{1, 2}))
	ints := tensor.New(tensor.WithShape(2), tensor.WithBacking([]int{1, 2}))
	for _, o := range all {
		n := len(o.Slots())
		slots := make([]*tensor.Dense, n)
		for i := range slots {
			slots[i] = dense(1)
		}
		for _, c := range []struct {
			p    Param
			step int
			want string
		}{
			{Param{Value: dense(1)}, 1, "no value or no gradient"},
			{Param{Value: ints, Grad: ints}, 1, "want float32 or float64"},
			{Param{Value: dense(1, 2), Grad: single}, 1, "its gradient float32"},
			{Param{Value: dense(1, 2), Grad: dense(1)}, 1, "its gradient float64 of shape (1)"},
			{Param{Value: dense(1), Grad: dense(1), Slots: slots}, 0, "step 0"},
			{Param{Value: dense(1), Grad: dense(1), Slots: append(slots, slots...)[:n+1%(n+1)*n]}, 1, "slots"},
		} {
			if n == 0 && c.want == "slots" {
				continue
			}
			if err := o.Update(&c.p, 0.1, c.step); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%T: error %v, want one with %q", o, err, c.want)
			}
		}
		if n > 0 {
			p := Param{Value: dense(1, 2), Grad: dense(1, 2), Slots: slots}
			if err := o.Update(&p, 0.1, 1); err == nil || !strings.Contains(err.Error(), "is missing, or not of 2 float64") {
				t.Errorf("%T: error %v for slots of another size", o, err)
			}
		}
	}
}
