package checkpoint

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo/weights"
)

func TestNumber(t *testing.T) {
	for _, v := range []float64{0, 0.1, -1.0 / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		b, err := json.Marshal(Number(v))
		if err != nil {
			t.Fatal(err)
		}
		var got Number
		if err := json.Unmarshal(b, &got); err != nil || math.Float64bits(float64(got)) != math.Float64bits(v) && v == v || v != v && got == got {
			t.Errorf("%v became %v by way of %s; %v", v, got, b, err)
		}
	}
	var n Number
	if err := json.Unmarshal([]byte(`"many"`), &n); err == nil {
		t.Error(`"many" is a number`)
	}
}

func TestParts(t *testing.T) {
	model := func(seed uint64, units int) *nn.Model {
		m, err := nn.NewModel(nn.Linear{Units: units}, []int{3}, nn.ModelConfig{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, second := model(1, 2), model(2, 2)
	slot := weights.Named{Name: "m/weight", Value: tensor.New(tensor.WithBacking([]float32{7}))}
	var c Checkpoint
	c.PutStore("model", first.Store())
	c.Put("optim", []weights.Named{slot})
	if got := c.Part("optim"); !slices.Equal(got, []weights.Named{slot}) || c.Part("mod") != nil {
		t.Errorf("parts %v and %v, want %v and none", got, c.Part("mod"), slot)
	}
	load, err := c.MatchStore("model", second.Store())
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(second.Store().Variables()[0].Value.Float32s())
	if err := load(); err != nil {
		t.Fatal(err)
	}
	after, want := second.Store().Variables()[0].Value.Float32s(), first.Store().Variables()[0].Value.Float32s()
	if slices.Equal(before, want) || !slices.Equal(after, want) {
		t.Errorf("weights %v became %v, want %v", before, after, want)
	}
	for _, x := range []struct {
		part, want string
		units      int
	}{{"other", "is missing", 2}, {"model", ", this run's float32 (", 5}} {
		if _, err := c.MatchStore(x.part, model(1, x.units).Store()); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want one with %q", err, x.want)
		}
	}
	c.Put("model", []weights.Named{slot})
	if _, err := c.MatchStore("model", second.Store()); err == nil || !strings.Contains(err.Error(), "it has 3 variables, this run has 2") {
		t.Errorf("a variable too many: %v", err)
	}
}
