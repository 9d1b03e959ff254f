package schedule

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

type golden struct {
	Rates  []float64
	Values []*float64 // nil is NaN
}

func readGolden(t *testing.T) map[string]golden {
	t.Helper()
	b, err := os.ReadFile("testdata/schedule.json")
	if err != nil {
		t.Fatal(err)
	}
	var g map[string]golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near: PyTorch multiplies from step to step where we have a closed form; some 40 roundings of 1e-16.
func near(got, want float64) bool { return math.Abs(got-want) <= 1e-14*math.Abs(want)+1e-17 }

// TestTorch compares with PyTorch's schedulers, see testdata/gen.py.
func TestTorch(t *testing.T) {
	g := readGolden(t)
	for name, c := range map[string]struct {
		s       Schedule
		byEpoch bool // PyTorch's scheduler was stepped once an epoch
		steps   int  // of a run of 4 epochs, where the length matters
	}{
		"step":            {Step{Start: 0.1, Every: 3, Gamma: 0.5}, true, 0},
		"multistep":       {MultiStep{Start: 0.1, Epochs: []int{2, 5, 5, 9}}, true, 0},
		"exponential":     {Exponential{Start: 0.1, Gamma: 0.9}, true, 0},
		"polynomial":      {Polynomial{Start: 0.1, Power: 2, Steps: 20}, false, 40},
		"polynomial_line": {Polynomial{Start: 0.1}, false, 20},
		"cosine":          {Cosine{Peak: 0.1, Floor: 0.01}, false, 20},
		"restarts":        {Cosine{Peak: 0.1, Floor: 0.001, Cycle: 2, Grow: 2}, false, 8},
		"restarts_equal":  {Cosine{Peak: 0.1, Cycle: 1}, false, 20},
		"warmup_cosine":   {Cosine{Peak: 0.1, Warmup: 8}, false, 20},
		"one_cycle":       {OneCycle{Peak: 0.1}, false, 20},
		"one_cycle_linear": {OneCycle{Peak: 0.1, Rise: 0.25, Divide: 10, Final: 100, Linear: true, Steps: 33},
			false, 400},
	} {
		if err := Check(c.s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := g[name].Rates
		if len(want) == 0 {
			t.Fatalf("%s: not in the golden file", name)
		}
		for i, w := range want {
			at := At{Step: i, PerEpoch: c.steps / 4, Epochs: 4}
			if c.byEpoch {
				at = At{Epoch: i, Step: 100 * i, PerEpoch: 100, Epochs: 12}
			}
			if got := c.s.Rate(at); !near(got, w) {
				t.Errorf("%s: rate %d is %v, want %v", name, i, got, w)
			}
		}
	}
}

func TestPlateauTorch(t *testing.T) {
	g := readGolden(t)
	for name, p := range map[string]*Plateau{
		"plateau":         {Start: 0.1},
		"plateau_short":   {Start: 0.1, Patience: 2, Factor: 0.5, Cooldown: 3, Min: 1e-3},
		"plateau_none":    {Start: 0.1, Patience: -1, Factor: 0.7, Threshold: 0.01},
		"plateau_max":     {Start: 0.1, Max: true, Patience: 3, Threshold: 0.02, Absolute: true, Factor: 0.3},
		"plateau_max_rel": {Start: 0.1, Max: true, Patience: 1, Threshold: 0.01, Factor: 0.5, Cooldown: 1},
		"plateau_min_abs": {Start: 0.1, Patience: 3, Threshold: 0.02, Absolute: true, Factor: 0.3},
	} {
		if err := Check(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		reductions := 0
		for i, want := range g[name].Rates {
			if got := p.Rate(At{Epoch: i}); !near(got, want) {
				t.Fatalf("%s: rate %d is %v, want %v", name, i, got, want)
			}
			if i > 0 && want < g[name].Rates[i-1] {
				reductions++
			}
			// Stop and go on, through JSON, after every epoch.
			b, err := json.Marshal(p.State())
			if err != nil {
				t.Fatal(err)
			}
			var state PlateauState
			if err := json.Unmarshal(b, &state); err != nil {
				t.Fatal(err)
			}
			again := *p
			again.state = PlateauState{}
			if err := again.Restore(state); err != nil {
				t.Fatal(err)
			}
			p = &again
			v := math.NaN()
			if x := g[name].Values[i]; x != nil {
				v = *x
			}
			p.Observe(v)
		}
		if reductions == 0 {
			t.Errorf("%s: the case has no reduction", name)
		}
	}
}

// TestPlateauNegative: a loss below 0 that gets worse is not better.
func TestPlateauNegative(t *testing.T) {
	p := &Plateau{Start: 1, Patience: 2, Threshold: 0.1}
	for _, v := range []float64{-1, -0.95, -0.92, -0.91} {
		p.Observe(v)
	}
	if got := p.Rate(At{}); got != 0.1 {
		t.Errorf("rate %v, want 0.1 after three values that are worse", got)
	}
	q := &Plateau{Start: 1, Patience: 2}
	q.Observe(math.Inf(-1))
	if q.State().Seen {
		t.Error("−∞ became the best value")
	}
	if p.Watches() != "val_loss" || (&Plateau{Monitor: "accuracy"}).Watches() != "accuracy" {
		t.Error("names of the watched value")
	}
}

func TestNotesExample(t *testing.T) {
	f := Func(func(epoch int) float64 {
		switch {
		case epoch < 50:
			return 1e-3
		case epoch < 100:
			return 1e-4
		}
		return 1e-5
	})
	m := MultiStep{Start: 1e-3, Epochs: []int{50, 100}}
	for epoch := range 120 {
		want := []float64{1e-3, 1e-4, 1e-5}[min(epoch/50, 2)]
		if got := f.Rate(At{Epoch: epoch}); got != want {
			t.Errorf("epoch %d: %v, want %v", epoch, got, want)
		}
		if got := m.Rate(At{Epoch: epoch}); !near(got, want) {
			t.Errorf("multi-step, epoch %d: %v, want %v", epoch, got, want)
		}
	}
	if got := Constant(0.5).Rate(At{Step: 7}); got != 0.5 {
		t.Errorf("constant: %v", got)
	}
}

func TestWarmup(t *testing.T) {
	plateau := &Plateau{Start: 0.4}
	w := Warmup{Steps: 4, After: plateau}
	var got []float64
	for i := range 6 {
		got = append(got, w.Rate(At{Step: i}))
	}
	if want := []float64{0.1, 0.2, 0.30000000000000004, 0.4, 0.4, 0.4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if PlateauOf(w) != plateau || PlateauOf(Constant(1)) != nil {
		t.Error("the plateau behind a warm-up")
	}
}

// TestEdges: runs of length 0 or 1 and places past the end give numbers.
func TestEdges(t *testing.T) {
	for _, s := range []Schedule{
		Step{Start: 1}, Polynomial{Start: 1}, Cosine{Peak: 1}, Cosine{Peak: 1, Warmup: 3}, Cosine{Peak: 1, Cycle: 1, Grow: 3},
		OneCycle{Peak: 1}, OneCycle{Peak: 1, Rise: 1}, OneCycle{Peak: 1, Steps: 1}, Warmup{After: Constant(1)},
	} {
		for _, at := range []At{{}, {PerEpoch: 1, Epochs: 1}, {Step: 1, PerEpoch: 1, Epochs: 1}, {Epoch: 50, Step: 1000, PerEpoch: 10, Epochs: 3}} {
			if r := s.Rate(at); !(r >= 0 && r <= 1) {
				t.Errorf("%#v at %+v: rate %v", s, at, r)
			}
		}
	}
	if got := (OneCycle{Peak: 1}).Rate(At{Step: 99, PerEpoch: 50, Epochs: 2}); !near(got, 1./25/1e4) {
		t.Errorf("last rate of one cycle %v", got)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want string
	}{
		{nil, "no schedule"},
		{Step{Every: -1}, "every -1 epochs"},
		{Exponential{Start: 1}, "gamma 0"},
		{Polynomial{Steps: -1}, "-1 steps"},
		{Cosine{Warmup: -1}, "warm-up -1"},
		{OneCycle{Rise: 2}, "rise 2"},
		{Warmup{Steps: 1}, "warm-up"},
		{Warmup{Steps: 1, After: Exponential{}}, "gamma 0"},
		{&Plateau{}, "start 0"},
		{&Plateau{Start: 1, Factor: 1}, "factor 1"},
	} {
		if err := Check(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%#v: error %v, want one with %q", c.s, err, c.want)
		}
	}
	for _, s := range []PlateauState{{Best: math.NaN()}, {Rate: -1}, {Rate: 2}, {Bad: -1}, {Cooldown: -1}} {
		if err := (&Plateau{Start: 1}).Restore(s); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
