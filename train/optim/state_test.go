package optim

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/zoo/weights"
	"gorgonia.org/tensor"
)

func values(s *State) []float64 {
	var out []float64
	for _, p := range s.Params() {
		out = append(out, floats(p.Value)...)
	}
	return out
}

// network makes parameters of a small network, and gives each a gradient.
func network(seed uint64) []Param {
	rnd := rand.New(rand.NewPCG(seed, 0))
	fill := func(shape ...int) *tensor.Dense {
		t := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(shape...))
		for i := range t.Float64s() {
			t.Float64s()[i] = rnd.NormFloat64()
		}
		return t
	}
	var out []Param
	for _, p := range []struct {
		name  string
		shape []int
	}{{"layer1.conv.weight", []int{2, 3}}, {"layer1.conv.bias", []int{2}}, {"layer1.bn.scale", []int{2}},
		{"layer10.conv.weight", []int{4, 1}}, {"fc.weight", []int{2, 2}}} {
		out = append(out, Param{Name: p.name, Value: fill(p.shape...), Grad: fill(p.shape...)})
	}
	return out
}

func setGrads(s *State, seed uint64) {
	for i, p := range network(seed) {
		s.Params()[i].Grad = p.Grad
	}
}

func step(t testing.TB, s *State, rate float64) bool {
	t.Helper()
	updated, err := s.Step(rate)
	if err != nil {
		t.Fatal(err)
	}
	return updated
}

func TestGroups(t *testing.T) {
	s := mustNew(t, Config{
		Optimizer: SGD{WeightDecay: 0.5},
		Groups: []Group{
			{Names: []string{"layer1.conv"}, RateScale: 0.1},
			{Names: []string{"layer1"}, Frozen: true}, // the rest of layer1: the first match counts
			{Names: []string{"layer10.conv.weight"}, NoDecay: true},
		},
	}, network(1)...)
	before := network(1)
	step(t, s, 0.2)
	for i, p := range s.Params() {
		rate, decay := 0.2, 0.5
		switch p.Name {
		case "layer1.conv.weight":
			rate = 0.02
		case "layer1.conv.bias":
			rate, decay = 0.02, 0 // rank 1
		case "layer1.bn.scale":
			rate = 0
		case "layer10.conv.weight":
			decay = 0
		}
		var want []float64
		for j, w := range before[i].Value.Float64s() {
			want = append(want, w-rate*(before[i].Grad.Float64s()[j]+decay*w))
		}
		if d := distance(floats(p.Value), want); !(d <= 1e-15) { // one rounding of numbers of size 1
			t.Errorf("%s: differs by %g", p.Name, d)
		}
	}
	if !s.Frozen(2) || s.Frozen(0) {
		t.Error("layer1.bn.scale alone is frozen")
	}
	if err := s.Freeze(false, "layer1"); err != nil {
		t.Fatal(err)
	}
	if s.Frozen(2) {
		t.Error("still frozen")
	}
	now := slices.Clone(s.Params()[2].Value.Float64s())
	step(t, s, 0.2)
	if slices.Equal(now, s.Params()[2].Value.Float64s()) {
		t.Error("an unfrozen parameter was not updated")
	}
}

func TestDecayAll(t *testing.T) {
	for _, decayAll := range []bool{false, true} {
		s := mustNew(t, Config{Optimizer: SGD{WeightDecay: 0.5}, DecayAll: decayAll}, network(1)...)
		for _, p := range s.Params() {
			if want := len(p.Value.Shape()) < 2 && !decayAll; p.NoDecay != want {
				t.Errorf("DecayAll %v: %s has NoDecay %v, want %v", decayAll, p.Name, p.NoDecay, want)
			}
		}
	}
}

// TestLateUnfreeze: a parameter's own count of steps rules its bias correction and its first momentum.
func TestLateUnfreeze(t *testing.T) {
	for _, o := range all {
		late := mustNew(t, Config{Optimizer: o}, network(1)...)
		if err := late.Freeze(true, "fc"); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			step(t, late, 0.01)
		}
		if err := late.Freeze(false, "fc"); err != nil {
			t.Fatal(err)
		}
		step(t, late, 0.01)
		fresh := mustNew(t, Config{Optimizer: o}, network(1)...)
		step(t, fresh, 0.01)
		if got, want := late.Params()[4].Value.Float64s(), fresh.Params()[4].Value.Float64s(); !slices.Equal(got, want) {
			t.Errorf("%T: first update after a thaw gives %v, want %v", o, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	grads := func() []Param {
		return []Param{
			{Name: "a", Value: matrix(0, 0), Grad: matrix(3, -4)},
			{Name: "b", Value: dense(0), Grad: dense(12)},
			{Name: "c", Value: dense(0), Grad: dense(0.5)},
		}
	}
	total := math.Sqrt(9 + 16 + 144 + 0.25)
	for name, c := range map[string]struct {
		cfg  Config
		want []float64 // the gradient that SGD at rate 1 went by
	}{
		"none":         {Config{}, []float64{3, -4, 12, 0.5}},
		"value":        {Config{ClipValue: 3.5}, []float64{3, -3.5, 3.5, 0.5}},
		"norm":         {Config{ClipNorm: 1}, []float64{3 / 5.000001, -4 / 5.000001, 12 / 12.000001, 0.5}},
		"global":       {Config{ClipGlobalNorm: 2}, []float64{6 / (total + 1e-6), -8 / (total + 1e-6), 24 / (total + 1e-6), 1 / (total + 1e-6)}},
		"global, wide": {Config{ClipGlobalNorm: 20}, []float64{3, -4, 12, 0.5}},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			c.cfg.Optimizer = SGD{}
			params := grads()
			for i := range params {
				params[i].Value, params[i].Grad = as(params[i].Value, dt), as(params[i].Grad, dt)
			}
			s := mustNew(t, c.cfg, params...)
			step(t, s, 1)
			got := values(s)
			for i := range got {
				got[i] = -got[i]
			}
			tolerance := 1e-14 // some roundings of numbers up to 12
			if dt == tensor.Float32 {
				tolerance = 5e-6
			}
			if d := distance(got, c.want); !(d <= tolerance) {
				t.Errorf("%s, %v: went by %v, want %v", name, dt, got, c.want)
			}
			if c.cfg.ClipGlobalNorm > 0 && math.Abs(s.GlobalNorm()-total) > tolerance {
				t.Errorf("%s: global norm %v, want %v", name, s.GlobalNorm(), total)
			}
		}
	}
}

func TestClipNotFinite(t *testing.T) {
	for _, cfg := range []Config{{Optimizer: SGD{}, ClipGlobalNorm: 1}, {Optimizer: SGD{}, ClipNorm: 1}} {
		s := mustNew(t, cfg, network(1)...)
		s.Params()[3].Grad.Float64s()[0] = math.NaN()
		if _, err := s.Step(0.1); err == nil || !strings.Contains(err.Error(), "layer10.conv.weight") {
			t.Errorf("error %v, want one that names the parameter", err)
		}
		for _, v := range values(s) {
			if math.IsNaN(v) {
				t.Error("NaN reached the weights")
			}
		}
	}
}

// TestAccumulate: three batches and one step are the step of their mean gradient, clipped as such.
func TestAccumulate(t *testing.T) {
	for _, clip := range []Config{{}, {ClipValue: 0.4}, {ClipNorm: 0.4}, {ClipGlobalNorm: 0.4}} {
		for _, o := range all {
			cfg := clip
			cfg.Optimizer = o
			whole := mustNew(t, cfg, network(1)...)
			cfg.Accumulate = 3
			parts := mustNew(t, cfg, network(1)...)
			for round := range uint64(4) {
				mean := network(100)
				for i := range mean {
					g := mean[i].Grad.Float64s()
					clear(g)
					for k := range uint64(3) {
						for j, v := range network(10*round + k)[i].Grad.Float64s() {
							g[j] += v / 3
						}
					}
					whole.Params()[i].Grad = mean[i].Grad
				}
				step(t, whole, 0.01)
				for k := range uint64(3) {
					setGrads(parts, 10*round+k)
					if updated := step(t, parts, 0.01); updated != (k == 2) {
						t.Fatalf("updated %v after batch %d of 3", updated, k+1)
					}
				}
			}
			// Sums in another order; the roots of Adam and its kin magnify what is left of small sums.
			if d := distance(values(parts), values(whole)); !(d <= 1e-10) {
				t.Errorf("%T %+v: differs by %g", o, clip, d)
			}
		}
	}
}

func TestFlush(t *testing.T) {
	s := mustNew(t, Config{Optimizer: SGD{}, Accumulate: 4}, Param{Name: "w", Value: dense(1), Grad: dense(2)})
	if err := s.Flush(1); err != nil || values(s)[0] != 1 {
		t.Errorf("flush of nothing: %v, weight %v", err, values(s))
	}
	step(t, s, 1)
	s.Params()[0].Grad = dense(4)
	step(t, s, 1)
	if err := s.Flush(0.5); err != nil {
		t.Fatal(err)
	}
	if got := values(s)[0]; got != 1-0.5*3 {
		t.Errorf("weight %v, want 1 − 0.5·(2 + 4)/2", got)
	}
	for k := range 4 {
		if updated := step(t, s, 1); updated != (k == 3) {
			t.Errorf("after a flush: updated %v at batch %d of 4", updated, k+1)
		}
	}
}

// TestResume: export in the middle, of an accumulation too, through a file and back.
func TestResume(t *testing.T) {
	for _, o := range all {
		cfg := Config{Optimizer: o, Accumulate: 3, Groups: []Group{{Names: []string{"layer1.bn"}, Frozen: true}}}
		whole := mustNew(t, cfg, network(1)...)
		for k := range uint64(5) {
			setGrads(whole, k)
			step(t, whole, 0.01)
		}
		var file bytes.Buffer
		if err := weights.Write(&file, whole.Export(), nil); err != nil {
			t.Fatal(err)
		}
		params := network(1)
		for i, p := range whole.Params() {
			params[i].Value = p.Value.Clone().(*tensor.Dense)
		}
		resumed := mustNew(t, cfg, params...)
		f, err := weights.NewFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := f.All()
		if err != nil {
			t.Fatal(err)
		}
		if err := resumed.Import(tensors); err != nil {
			t.Fatal(err)
		}
		for k := range uint64(10) {
			setGrads(whole, 50+k)
			setGrads(resumed, 50+k)
			step(t, whole, 0.01)
			step(t, resumed, 0.01)
		}
		if !slices.Equal(values(whole), values(resumed)) {
			t.Errorf("%T: a resumed run ends elsewhere", o)
		}
	}
}

func TestImportErrors(t *testing.T) {
	cfg := Config{Optimizer: Adam{}, Accumulate: 2}
	s := mustNew(t, cfg, network(1)...)
	for range 3 {
		step(t, s, 0.01)
	}
	good := s.Export()
	without := func(name string) []weights.Named {
		return slices.DeleteFunc(slices.Clone(good), func(t weights.Named) bool { return t.Name == name })
	}
	with := func(name string, v *tensor.Dense) []weights.Named {
		return append(without(name), weights.Named{Name: name, Value: v})
	}
	count := func(n int64) *tensor.Dense { return tensor.New(tensor.FromScalar(n)) }
	for _, c := range []struct {
		in   []weights.Named
		want string
	}{
		{without("step/fc.weight"), "step/fc.weight: missing"},
		{without("exp_avg/fc.weight"), "exp_avg/fc.weight: missing"},
		{with("exp_avg/fc.weight", dense(1)), "exp_avg/fc.weight: float64 of shape (1), want 4 float64"},
		{with("exp_avg/other", dense(1)), "exp_avg/other: left over"},
		{with("step/fc.weight", count(-1)), "not a number of updates"},
		{with("step/fc.weight", count(math.MaxInt64)), "not a number of updates"},
		{with("pending/fc.weight", count(2)), "more batches"},
		{nil, "step/layer1.conv.bias: missing"},
	} {
		fresh := mustNew(t, cfg, network(1)...)
		if err := fresh.Import(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		for _, e := range fresh.params {
			if e.steps != 0 || e.Slots != nil || e.pending != 0 {
				t.Errorf("%q: something was changed", c.want)
			}
		}
	}
}

func TestNewErrors(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		params []Param
		want   string
	}{
		{Config{}, nil, "no optimiser"},
		{Config{Optimizer: SGD{}, ClipNorm: 1, ClipValue: 1}, nil, "more than one kind"},
		{Config{Optimizer: SGD{}, ClipNorm: -1}, nil, "clipping at -1"},
		{Config{Optimizer: SGD{}, Accumulate: -1}, nil, "accumulation over -1"},
		{Config{Optimizer: SGD{}, Groups: []Group{{Names: []string{"layer2"}}}}, network(1), `"layer2"`},
		{Config{Optimizer: SGD{}, Groups: []Group{{Names: []string{"fc"}, RateScale: -1}}}, network(1), "rate scale of a group -1"},
		{Config{Optimizer: SGD{}}, append(network(1), network(1)...), "two parameters"},
		{Config{Optimizer: SGD{}}, []Param{{Name: "w"}}, `"w" is not of float32`},
	} {
		if _, err := New(c.cfg, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	s := mustNew(t, Config{Optimizer: SGD{}, ClipGlobalNorm: 1}, network(1)...)
	if err := s.Update(0, 1); err == nil || s.Immediate() {
		t.Error("clipping by global norm cannot update one parameter alone")
	}
	if err := s.Freeze(true, "layer"); err == nil {
		t.Error("no error for a scope that does not exist")
	}
	s.Params()[1].Grad = nil
	if _, err := s.Step(1); err == nil || !strings.Contains(err.Error(), "layer1.conv.bias") {
		t.Errorf("no gradient: error %v", err)
	}
}

func TestEMA(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		w := as(dense(1, 2), dt)
		set := func(v float64) {
			if dt == tensor.Float64 {
				w.Float64s()[0] = v
			} else {
				w.Float32s()[0] = float32(v)
			}
		}
		live := []weights.Named{{Name: "w", Value: w}}
		e, err := NewEMA(0.75, false, live)
		if err != nil {
			t.Fatal(err)
		}
		set(5)
		e.Update() // 0.75·1 + 0.25·5 = 2
		set(10)
		e.Update() // 0.75·2 + 0.25·10 = 4
		e.Swap()
		if got := floats(w); got[0] != 4 || got[1] != 2 {
			t.Errorf("%v: average %v, want 4 and 2", dt, got)
		}
		e.Swap()
		if got := floats(w); got[0] != 10 {
			t.Errorf("%v: %v after swapping back, want 10", dt, got)
		}
		other, err := NewEMA(0.75, false, live)
		if err != nil {
			t.Fatal(err)
		}
		exported := e.Export()
		for i, n := range exported { // as from a file
			exported[i].Value = n.Value.Clone().(*tensor.Dense)
		}
		if err := other.Import(exported); err != nil {
			t.Fatal(err)
		}
		other.Update()
		e.Update()
		if !slices.Equal(floats(e.average[0]), floats(other.average[0])) || e.updates != other.updates {
			t.Errorf("%v: a resumed average goes elsewhere", dt)
		}
		if err := other.Import(e.Export()[:1]); err == nil || !strings.Contains(err.Error(), "ema/w: missing") {
			t.Errorf("error %v", err)
		}
	}
	w := dense(0)
	e, err := NewEMA(0.5, true, []weights.Named{{Name: "w", Value: w}})
	if err != nil {
		t.Fatal(err)
	}
	w.Float64s()[0] = 1
	e.Update() // keeps 1/10
	if got := e.average[0].Float64s()[0]; math.Abs(got-0.9) > 1e-15 {
		t.Errorf("warm-up: %v, want 0.9", got)
	}
	for range 20 {
		e.Update()
	}
	w.Float64s()[0] = 2
	e.Update() // keeps ½ by now
	if got := e.average[0].Float64s()[0]; math.Abs(got-1.5) > 1e-5 {
		t.Errorf("after warm-up: %v, want about 1.5", got)
	}
	if _, err := NewEMA(1, false, nil); err == nil {
		t.Error("no error for decay 1")
	}
	if _, err := NewEMA(0.9, false, []weights.Named{{Name: "n"}}); err == nil {
		t.Error("no error for a tensor that is not there")
	}
}

// TestNoAllocation: from the second step on.
func TestNoAllocation(t *testing.T) {
	for _, o := range all {
		for _, cfg := range []Config{{}, {ClipValue: 1}, {ClipGlobalNorm: 1}, {Accumulate: 2}} {
			cfg.Optimizer = o
			s := mustNew(t, cfg, network(1)...)
			step(t, s, 0.01)
			step(t, s, 0.01)
			if n := testing.AllocsPerRun(20, func() { step(t, s, 0.01) }); n > 0 {
				t.Errorf("%T %+v: %v allocations a step", o, cfg, n)
			}
		}
	}
}

func BenchmarkStep(b *testing.B) {
	const n = 1 << 20
	for _, o := range all {
		b.Run(fmt.Sprintf("%T", o), func(b *testing.B) {
			p := Param{Name: "w", Value: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(n/1024, 1024)),
				Grad: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(n/1024, 1024))}
			s := mustNew(b, Config{Optimizer: o}, p)
			for b.Loop() {
				step(b, s, 0.01)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mparam/s")
		})
	}
}
