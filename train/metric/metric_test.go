package metric

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var nan = float32(math.NaN())

// batches of three classes. Predictions: 0 1 2 1 0 2, labels 0 1 1 1 2 2.
var (
	scoresA = []float32{3, 1, 2, 0.1, 0.5, 0.2, 1, 2, 3}
	labelsA = []int{0, 1, 1}
	scoresB = []float32{-1, 0, -2, 9, 8, 7, 0, 0, 1}
	labelsB = []int{1, 2, 2}
)

func add(t *testing.T, m Metric, scores []float32, labels []int) {
	t.Helper()
	if err := m.Add(scores, labels); err != nil {
		t.Fatal(err)
	}
}

func close(a, b float64) bool { return math.Abs(a-b) < 1e-12 } // a handful of roundings of numbers up to 1

func TestTopK(t *testing.T) {
	for k, want := range map[int]float64{0: 4. / 6, 1: 4. / 6, 2: 5. / 6, 3: 1, 9: 1} {
		m := &TopK{K: k}
		if !math.IsNaN(m.Value()) {
			t.Errorf("top-%d of nothing: %v", k, m.Value())
		}
		add(t, m, scoresA, labelsA)
		add(t, m, scoresB, labelsB)
		if got := m.Value(); !close(got, want) {
			t.Errorf("top-%d: %v, want %v", k, got, want)
		}
		m.Reset()
		add(t, m, scoresA, labelsA)
		if got, want := m.Value(), map[bool]float64{true: 1, false: 2. / 3}[k > 1]; !close(got, want) {
			t.Errorf("top-%d after a reset: %v, want %v", k, got, want)
		}
	}
	if (&TopK{}).Name() != "accuracy" || (&TopK{K: 5}).Name() != "top-5" {
		t.Error("names")
	}
}

// TestTies: with equal scores the first class is the prediction, and NaN is never right by luck.
func TestTies(t *testing.T) {
	for _, c := range []struct {
		scores []float32
		label  int
		right  float64
		taken  int
	}{
		{[]float32{1, 1, 0}, 0, 1, 0},
		{[]float32{1, 1, 0}, 1, 0, 0},
		{[]float32{nan, nan, nan}, 0, 0, 0},
		{[]float32{0, nan, 5}, 2, 0, 1},
		{[]float32{0, nan, 5}, 1, 0, 1},
	} {
		m := &TopK{}
		add(t, m, c.scores, []int{c.label})
		if m.Value() != c.right {
			t.Errorf("%v, label %d: accuracy %v, want %v", c.scores, c.label, m.Value(), c.right)
		}
		if got := argmax(c.scores); got != c.taken {
			t.Errorf("%v: prediction %d, want %d", c.scores, got, c.taken)
		}
	}
}

func TestConfusion(t *testing.T) {
	m, err := NewConfusion(3)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(m.Value()) || m.Class(0) != (Scores{}) {
		t.Errorf("of nothing: %v %v", m.Value(), m.Class(0))
	}
	add(t, m, scoresA, labelsA)
	add(t, m, scoresB, labelsB)
	want := [][]int{{1, 0, 0}, {0, 2, 1}, {1, 0, 1}}
	for i, row := range want {
		for j, n := range row {
			if m.Counts()[i][j] != n {
				t.Errorf("%d taken for %d: %d times, want %d", i, j, m.Counts()[i][j], n)
			}
		}
	}
	if !close(m.Value(), 4./6) {
		t.Errorf("accuracy %v", m.Value())
	}
	// By hand from the table: columns 2, 2, 2; rows 1, 3, 2; diagonal 1, 2, 1.
	classes := []Scores{{0.5, 1, 2. / 3, 1}, {1, 2. / 3, 0.8, 3}, {0.5, 0.5, 0.5, 2}}
	for i, want := range classes {
		if got := m.Class(i); !close(got.Precision, want.Precision) || !close(got.Recall, want.Recall) || !close(got.F1, want.F1) || got.Support != want.Support {
			t.Errorf("class %d: %+v, want %+v", i, got, want)
		}
	}
	if got := m.Macro(); !close(got.Precision, 2./3) || !close(got.Recall, (1+2./3+0.5)/3) || !close(got.F1, (2./3+0.8+0.5)/3) || got.Support != 6 {
		t.Errorf("macro %+v", got)
	}
	if got := m.Weighted(); !close(got.Precision, (0.5+3*1+2*0.5)/6) || !close(got.Recall, 4./6) || !close(got.F1, (2./3+2.4+1)/6) {
		t.Errorf("weighted %+v", got)
	}
	if m.Class(3) != (Scores{}) || m.Class(-1) != (Scores{}) {
		t.Error("figures of a class that does not exist")
	}
	m.Reset()
	if !math.IsNaN(m.Value()) || !math.IsNaN(m.Weighted().F1) {
		t.Error("something is left after a reset")
	}
	if _, err := NewConfusion(0); err == nil {
		t.Error("no error for no classes")
	}
	if err := m.Add([]float32{1, 2}, []int{0}); err == nil || !strings.Contains(err.Error(), "got scores of 2") {
		t.Errorf("error %v", err)
	}
}

func TestAUC(t *testing.T) {
	// The example of scikit-learn's roc_auc_score: scores 0.1 0.4 0.35 0.8, labels 0 0 1 1, area 0.75.
	a := &AUC{}
	add(t, a, []float32{0.9, 0.1, 0.6, 0.4}, []int{0, 0})
	add(t, a, []float32{0.65, 0.35, 0.2, 0.8}, []int{1, 1})
	if got := a.Value(); !close(got, 0.75) {
		t.Errorf("%v, want 0.75", got)
	}
	if a.Class(0) != a.Class(1) {
		t.Errorf("class 0 %v, class 1 %v", a.Class(0), a.Class(1))
	}
	// Ties count half: positives 1 and 2, negatives 1 and 0: (½ + 1 + 1 + 1)/4.
	a.Reset()
	add(t, a, []float32{0, 1, 0, 2, 0, 1, 0, 0}, []int{1, 1, 0, 0})
	if got := a.Value(); !close(got, 3.5/4) {
		t.Errorf("%v, want 0.875", got)
	}
	a.Reset()
	if !math.IsNaN(a.Value()) {
		t.Error("area of nothing")
	}
	add(t, a, []float32{0, 1}, []int{1})
	if !math.IsNaN(a.Value()) {
		t.Error("area of one class alone")
	}
	for _, c := range []struct {
		scores []float32
		labels []int
		want   string
	}{
		{[]float32{1}, []int{0}, "want 2 or more"},
		{[]float32{1, 2, 3}, []int{0}, "after scores of 2"},
		{[]float32{1, nan}, []int{0}, "NaN"},
	} {
		if err := a.Add(c.scores, c.labels); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

// TestAUCByPairs compares with the definition, over all pairs, for four classes with many ties.
func TestAUCByPairs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const n, c = 200, 4
	scores, labels := make([]float32, n*c), make([]int, n)
	for i := range labels {
		labels[i] = rnd.IntN(3) // class 3 has no example
		for k := range c {
			scores[i*c+k] = float32(rnd.IntN(12))
		}
		scores[i*c+labels[i]] += 3
	}
	a := &AUC{}
	for lo := 0; lo < n; lo += 50 {
		add(t, a, scores[lo*c:(lo+50)*c], labels[lo:lo+50])
	}
	mean := 0.0
	for k := range 3 {
		var won, pairs float64
		for i := range n {
			for j := range n {
				if labels[i] != k || labels[j] == k {
					continue
				}
				pairs++
				switch d := scores[i*c+k] - scores[j*c+k]; {
				case d > 0:
					won++
				case d == 0:
					won += 0.5
				}
			}
		}
		if got := a.Class(k); !close(got, won/pairs) {
			t.Errorf("class %d: %v, want %v", k, got, won/pairs)
		}
		mean += won / pairs / 3
	}
	if !math.IsNaN(a.Class(3)) || !close(a.Value(), mean) {
		t.Errorf("class without examples %v, mean %v, want NaN and %v", a.Class(3), a.Value(), mean)
	}
}

func TestMean(t *testing.T) {
	var m Mean
	if !math.IsNaN(m.Value()) {
		t.Error("mean of nothing")
	}
	m.Add(1, 30)
	m.Add(4, 10) // a shorter last batch counts less
	if m.Value() != 1.75 {
		t.Errorf("%v, want 1.75", m.Value())
	}
	m.Reset()
	if !math.IsNaN(m.Value()) {
		t.Error("something is left after a reset")
	}
}

func TestAddErrors(t *testing.T) {
	confusion, err := NewConfusion(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Metric{&TopK{}, confusion, &AUC{}} {
		for _, c := range []struct {
			scores []float32
			labels []int
			want   string
		}{
			{nil, nil, "0 scores for 0 labels"},
			{[]float32{1, 2, 3}, []int{0, 1}, "3 scores for 2 labels"},
			{[]float32{1, 2}, []int{2}, "label 2 of example 0, want 0 to 1"},
			{[]float32{1, 2}, []int{-1}, "label -1"},
		} {
			if err := m.Add(c.scores, c.labels); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%T: error %v, want one with %q", m, err, c.want)
			}
		}
		if !math.IsNaN(m.Value()) {
			t.Errorf("%T: a batch in error was counted", m)
		}
	}
}
