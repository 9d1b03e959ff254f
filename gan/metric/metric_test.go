package metric_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/gan/metric"
)

// u01 is the formula of testdata/gen.py: SplitMix64's output function, as a number from 0 to 1.
func u01(t, i uint64) float64 {
	z := t<<40 + i + 0x9E3779B97F4A7C15
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

// made are the features of gen.py's make.
func made(t, n, d int, kind string) []float32 {
	x := make([]float64, n*d)
	for i := range x {
		v, k := u01(uint64(t), uint64(i)), i%d
		switch kind {
		case "relu":
			if k%5 == 1 && k+1 < d {
				v = u01(uint64(t), uint64(i+1))
			}
			v = max(v-0.5, 0)
			if k%5 == 0 {
				v = 0
			}
		case "offset":
			v = 1000 + 0.01*v
		case "scaled":
			v *= math.Pow(10, -4*float64(k)/float64(d-1))
		}
		if t%2 == 0 {
			v = v*1.25 + 0.125
		}
		x[i] = v
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func rows(x []float32, d int) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(x)/d, d), tensor.WithBacking(x))
}

// collect makes statistics of features in batches of the given size.
func collect(t *testing.T, x []float32, d, batch int) *metric.Stats {
	t.Helper()
	c := metric.NewCollector(metric.Network{Name: "net"})
	for part := range slices.Chunk(x, batch*d) {
		if err := c.Add(rows(part, d), nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type expected struct {
	Cases []struct {
		Real, Fake, D, First int
		Kind                 string
		FID                  float64
		FIDNuclear           float64 `json:"fid_nuclear"`
		KID                  *float64
		Precision, Recall    *float64
	}
	Score          float64
	ScoreDeviation float64 `json:"score_deviation"`
}

func reference(t *testing.T) (e expected) {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %.17g, want %.17g", what, got, want)
	}
}

func TestReference(t *testing.T) {
	for _, c := range reference(t).Cases {
		t.Run(c.Kind, func(t *testing.T) {
			real := collect(t, made(c.First, c.Real, c.D, c.Kind), c.D, 7)
			fake := collect(t, made(c.First+1, c.Fake, c.D, c.Kind), c.D, 64)
			r, err := metric.FID(real, fake)
			if err != nil {
				t.Fatal(err)
			}
			// SciPy's root of a singular product is exact to 1e-7 itself, which the other formula shows: to that
			// it is rounding alone.
			near(t, "FID", r.Value, c.FID, 1e-6)
			near(t, "FID by singular values", r.Value, c.FIDNuclear, 1e-11)
			if c.KID != nil {
				// A subset of all pictures is all of them, in another order. Terms of 1 to 8 (offset: 1e18) cancel.
				r, err := metric.KID(real, fake, metric.KIDConfig{Subsets: 3, Size: c.Real, Seed: 5})
				if err != nil {
					t.Fatal(err)
				}
				near(t, "KID", r.Value, *c.KID, 1e-12)
				near(t, "deviation of KID over equal subsets", r.Deviation, 0, 1e-12)
			}
			if c.Precision != nil {
				p, q, err := metric.PrecisionRecall(real, fake, 0)
				if err != nil {
					t.Fatal(err)
				}
				near(t, "precision", p.Value, *c.Precision, 0) // shares of counts
				near(t, "recall", q.Value, *c.Recall, 0)
			}
		})
	}
}

// probabilities are those of gen.py.
func probabilities() *tensor.Dense {
	p := make([]float32, 103*7)
	for i := range 103 {
		sum := 0.0
		for k := range 7 {
			sum += math.Exp(6 * u01(99, uint64(i*7+k)))
		}
		for k := range 7 {
			p[i*7+k] = float32(math.Exp(6*u01(99, uint64(i*7+k))) / sum)
		}
	}
	return rows(p, 7)
}

func TestInceptionScore(t *testing.T) {
	c := metric.NewCollector(metric.Network{Name: "net"})
	if err := c.Add(rows(made(1, 103, 4, ""), 4), probabilities()); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stats()
	if err != nil {
		t.Fatal(err)
	}
	r, err := metric.InceptionScore(s, 4)
	if err != nil {
		t.Fatal(err)
	}
	e := reference(t)
	near(t, "inception score", r.Value, e.Score, 1e-7) // exponentials round to other float32s
	near(t, "its deviation", r.Deviation, e.ScoreDeviation, 1e-7)
	if got, want := r.String(), "inception score 1.983 ± 0.11 over 4 splits (103 generated; net)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Certain and evenly spread over 5 classes: 5.
	one := make([]float32, 50*5)
	for i := range 50 {
		one[i*5+i%5] = 1
	}
	c = metric.NewCollector(metric.Network{Name: "net"})
	if err := c.Add(rows(made(1, 50, 4, ""), 4), rows(one, 5)); err != nil {
		t.Fatal(err)
	}
	if s, err = c.Stats(); err != nil {
		t.Fatal(err)
	}
	if r, err = metric.InceptionScore(s, 1); err != nil {
		t.Fatal(err)
	}
	near(t, "score of certain classes", r.Value, 5, 1e-14)
}

func TestEqualSets(t *testing.T) {
	x := made(3, 80, 20, "relu")
	s := collect(t, x, 20, 80)
	r, err := metric.FID(s, s)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "FID of equal sets", r.Value, 0, 1e-12)
	p, q, err := metric.PrecisionRecall(s, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.Value != 1 || q.Value != 1 {
		t.Errorf("precision %v and recall %v of equal sets, want 1", p.Value, q.Value)
	}
	// Features that are all alike have no covariance at all: FID is the distance of the means.
	flat := make([]float32, 10*4)
	far := slices.Clone(flat)
	for i := range far {
		far[i] = 3
	}
	if r, err = metric.FID(collect(t, flat, 4, 10), collect(t, far, 4, 10)); err != nil {
		t.Fatal(err)
	}
	near(t, "FID of points", r.Value, 36, 0)
}

// Batches, GOMAXPROCS and the moment at which Stats was asked for before change no bit.
func TestSameBits(t *testing.T) {
	x, y := made(1, 300, 70, ""), made(2, 300, 70, "")
	figures := func(procs, batch int) (all []float64) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		real, fake := collect(t, x, 70, batch), collect(t, y, 70, batch)
		all = append(all, real.Cov...)
		f, err := metric.FID(real, fake)
		if err != nil {
			t.Fatal(err)
		}
		k, err := metric.KID(real, fake, metric.KIDConfig{Subsets: 5, Size: 100, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		p, r, err := metric.PrecisionRecall(real, fake, 5)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, f.Value, k.Value, k.Deviation, p.Value, r.Value)
	}
	want := figures(1, 300)
	for _, batch := range []int{1, 64, 77} {
		if !slices.Equal(figures(4, batch), want) {
			t.Errorf("batches of %d on 4 processors give other bits than one batch on one", batch)
		}
	}
	c := metric.NewCollector(metric.Network{Name: "net"})
	for part := range slices.Chunk(x, 50*70) {
		if err := c.Add(rows(part, 70), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Stats(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Cov, collect(t, x, 70, 300).Cov) {
		t.Error("statistics asked for on the way change those at the end")
	}
}

// KID of subsets is that of all pictures within what its deviation says, and the seed decides.
func TestKIDSubsets(t *testing.T) {
	real, fake := collect(t, made(1, 400, 16, ""), 16, 64), collect(t, made(2, 400, 16, ""), 16, 64)
	of := func(c metric.KIDConfig) metric.Result {
		r, err := metric.KID(real, fake, c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all, some := of(metric.KIDConfig{Subsets: 1, Size: 400}), of(metric.KIDConfig{Size: 100, Seed: 1})
	// Five standard errors of the mean of 100 subsets.
	if math.Abs(some.Value-all.Value) > 5*some.Deviation/10 {
		t.Errorf("%v, but over all pictures %v", some, all)
	}
	if some.Deviation == 0 || of(metric.KIDConfig{Size: 100, Seed: 2}).Value == some.Value || of(metric.KIDConfig{Size: 100, Seed: 1}) != some {
		t.Error("the seed does not decide the subsets")
	}
}

func TestErrors(t *testing.T) {
	good := collect(t, made(1, 20, 4, ""), 4, 20)
	with := func(change func(s *metric.Stats)) *metric.Stats {
		s := *good
		change(&s)
		return &s
	}
	fid := func(a, b *metric.Stats) error { _, err := metric.FID(a, b); return err }
	kid := func(c metric.KIDConfig) error { _, err := metric.KID(good, good, c); return err }
	add := func(batches ...*tensor.Dense) error {
		c := metric.NewCollector(metric.Network{Name: "net"})
		for _, b := range batches {
			if err := c.Add(b, nil); err != nil {
				return err
			}
		}
		_, err := c.Stats()
		return err
	}
	probs := func(p ...float32) error {
		c := metric.NewCollector(metric.Network{Name: "net"})
		return c.Add(rows(make([]float32, 4), 4), rows(p, len(p)))
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"other network":  {fid(good, with(func(s *metric.Stats) { s.Network = "b" })), `real pictures went through "net", generated ones through "b"`},
		"no statistics":  {fid(good, nil), "no statistics"},
		"other features": {fid(good, collect(t, made(1, 20, 5, ""), 5, 20)), "4 features of real pictures, 5 of generated"},
		"hole":           {fid(good, with(func(s *metric.Stats) { s.Mean = []float64{1, math.NaN(), 0, 0} })), "mean of feature 1 is NaN"},
		"short":          {fid(good, with(func(s *metric.Stats) { s.Cov = s.Cov[1:] })), "covariance of 15 numbers"},
		"subset":         {kid(metric.KIDConfig{Size: 21}), "100 subsets of 21 pictures, want at least 1 of 2 to 20"},
		"mean only": {func() error {
			_, err := metric.KID(good, with(func(s *metric.Stats) { s.Features = nil }), metric.KIDConfig{})
			return err
		}(), "without MeanOnly"},
		"neighbours":  {func() error { _, _, err := metric.PrecisionRecall(good, good, 20); return err }(), "neighbour number 20"},
		"no classes":  {func() error { _, err := metric.InceptionScore(good, 0); return err }(), "no class probabilities"},
		"one picture": {add(rows(make([]float32, 4), 4)), "1 pictures, want at least 2"},
		"none":        {add(), "0 pictures"},
		"not floats":  {add(tensor.New(tensor.WithShape(2, 2), tensor.Of(tensor.Int))), "want floats [N, D]"},
		"not rows":    {add(tensor.New(tensor.WithShape(2, 2, 2), tensor.Of(tensor.Float32))), "(2, 2, 2)"},
		"nil":         {add(nil), "no features"},
		"widths":      {add(rows(make([]float32, 8), 4), rows(make([]float32, 9), 3)), "3 features"},
		"NaN":         {add(rows(make([]float32, 8), 4), rows([]float32{0, 0, float32(math.NaN()), 0}, 4)), "feature 2 of picture 2 is NaN"},
		"scores":      {probs(2, -1), "probability of class 0 for picture 0 is 2"},
		"half":        {probs(0.25, 0.25), "sum to 0.5"},
		"NaN chance":  {probs(float32(math.NaN())), "is NaN"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, c.err, c.want)
		}
	}
	c := metric.NewCollector(metric.Network{Name: "net"})
	if err := c.Pictures(t.Context(), nil); err == nil {
		t.Error("a network without function takes pictures")
	}
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "statistics")
	var notes []string
	cache := metric.Cache{Dir: dir, Note: func(format string, a ...any) { notes = append(notes, format) }}
	computed := 0
	get := func(cache metric.Cache, set, network string, n int) *metric.Stats {
		t.Helper()
		s, err := cache.Get(set, metric.Network{Name: network}, n, func(c *metric.Collector) error {
			computed++
			return c.Add(rows(made(1, n, 4, ""), 4), nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := get(cache, "set", "net", 20)
	second := get(cache, "set", "net", 20)
	if computed != 1 || !slices.Equal(first.Cov, second.Cov) || !slices.Equal(first.Features, second.Features) || second.Network != "net" || second.N != 20 {
		t.Fatalf("computed %d times; statistics of %d pictures of %q came back", computed, second.N, second.Network)
	}
	get(cache, "set", "net", 21)
	get(cache, "set", "other net", 20)
	get(cache, "other set", "net", 20)
	if computed != 4 || len(notes) != 0 {
		t.Errorf("computed %d times with notes %q, want 4 for 4 keys and none", computed, notes)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("files %q, error %v, want 4", files, err)
	}
	for _, f := range files { // a bit of each falls over
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-10] ^= 1
		if err := os.WriteFile(f, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := metric.Load(f); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("a damaged file gives error %v", err)
		}
	}
	get(cache, "set", "net", 20)
	if computed != 5 || len(notes) != 1 {
		t.Errorf("a damaged file: computed %d times with notes %q, want once more with one", computed, notes)
	}
	cache.MeanOnly = true
	if s := get(cache, "lean", "net", 20); s.Features != nil {
		t.Error("MeanOnly keeps features")
	}
	cache.MeanOnly = false
	if s := get(cache, "lean", "net", 20); s.Features == nil || computed != 7 {
		t.Error("statistics without features are taken where features are wanted")
	}
	if _, err := cache.Get("few", metric.Network{Name: "net"}, 9, func(c *metric.Collector) error {
		return c.Add(rows(made(1, 8, 4, ""), 4), nil)
	}); err == nil || !strings.Contains(err.Error(), "8 pictures of few were collected, want 9") {
		t.Errorf("too few pictures: error %v", err)
	}
}
