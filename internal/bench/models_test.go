package bench

import (
	"testing"
	"time"

	"gorgonia.org/tensor"
)

// TestModels measures small batches, shortly, and looks at whether each figure is there.
func TestModels(t *testing.T) {
	s := Sampling{MinSample: time.Nanosecond, Samples: 1, Limit: time.Nanosecond}
	for name, modes := range map[string][]string{"resnet20": {"train", "infer"}, "dcgan": {"train"}, "resnet20_stock": {"train"}} {
		var got []string
		err := Models(s, ModelOptions{Only: name, Batch: 2}, func(r ModelRow) error {
			got = append(got, r.Mode)
			ours := name != "resnet20_stock"
			if r.Name != name || r.Batch != 2 || !(r.Pictures > 0 && r.Ms > 0 && r.Gflops > 0) || ours && !(r.Planned > 0 && r.Leaves > 0 && r.Compile > 0) {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if len(got) != len(modes) || got[0] != modes[0] || got[len(got)-1] != modes[len(modes)-1] {
			t.Errorf("%s: measured %v, want %v", name, got, modes)
		}
	}
	for _, o := range []ModelOptions{{Only: "nothing"}, {Mode: "both"}} {
		if err := Models(s, o, nil); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
}

// TestAdversariesLearn: one measured step moves every parameter of both networks, and after some the discriminator
// tells generated pictures better.
func TestAdversariesLearn(t *testing.T) {
	a, _, err := newAdversaries(4, ModelOptions{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	before := make(map[*tensor.Dense]*tensor.Dense)
	for _, l := range a.learners {
		for _, p := range l.Params() {
			before[p.Value] = p.Value.Clone().(*tensor.Dense)
		}
	}
	var losses []float32 // of the discriminator on generated pictures, before it learns from them
	for range 6 {
		if err := a.step(); err != nil {
			t.Fatalf("%+v", err)
		}
		losses = append(losses, a.critic.loss.Value().Data().(float32))
		for now, old := range before {
			if now.Float32s()[0] == old.Float32s()[0] {
				t.Errorf("a parameter of shape %v stands still", now.Shape())
			}
		}
		clear(before)
	}
	if !(losses[5] < losses[0]) {
		t.Errorf("losses %v", losses)
	}
}
