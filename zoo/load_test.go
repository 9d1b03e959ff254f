package zoo_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/hub"
	"github.com/stheno-ml/stheno/zoo/labels"
	"github.com/stheno-ml/stheno/zoo/preprocess"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// picture is w×h pixels of colours that change from left to right and from top to bottom.
func picture(w, h int, seed uint8) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(x*255/w) ^ seed, uint8(y * 255 / h), seed, 255})
		}
	}
	return m
}

func little(t *testing.T, c zoo.Config) *zoo.Model {
	t.Helper()
	c.InputSize = [2]int{64, 80}
	m, err := zoo.New("resnet18", c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSaveLoad: a file brings preprocessing and names of classes along, and predictions are the same to the bit.
func TestSaveLoad(t *testing.T) {
	a := little(t, zoo.Config{Classes: 3, Seed: 1})
	a.Labels = []string{"beagle", "pug", "cat"}
	a.Preprocess = preprocess.KerasCaffe(64).For(64, 80)
	a.Preprocess.Background = &color.NRGBA{1, 2, 3, 255}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := a.Save(path); err != nil {
		t.Fatal(err)
	}
	b := little(t, zoo.Config{Classes: 3, Seed: 2})
	before := b.Preprocess
	if _, err := b.Predict(picture(90, 70, 9)); err != nil { // what is kept ready must see the new weights
		t.Fatal(err)
	}
	if err := b.Load(path); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Preprocess, b.Preprocess) || !slices.Equal(a.Labels, b.Labels) || reflect.DeepEqual(before, b.Preprocess) {
		t.Errorf("preprocessing %+v and labels %v, want %+v and %v", b.Preprocess, b.Labels, a.Preprocess, a.Labels)
	}
	want, err := a.Predict(picture(90, 70, 9))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Predict(picture(90, 70, 9))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("predicted %v, want %v (error %v)", got, want, err)
	}
	// For another number of classes the head stays, and the names do not come along.
	c := little(t, zoo.Config{Classes: 4})
	if err := c.Load(path); !errors.As(err, new(*weights.Mismatch)) {
		t.Errorf("error %v, want a mismatch", err)
	}
	if err := c.Load(path, weights.SkipHead()); err != nil || c.Labels != nil {
		t.Errorf("error %v, labels %v", err, c.Labels)
	}
	if h := little(t, zoo.Config{Headless: true}); h.Load(path, weights.SkipHead()) != nil {
		t.Error("a headless network does not load without the head")
	}
}

// TestForeignMetadata: what a stranger wrote into the metadata is checked before anything changes.
func TestForeignMetadata(t *testing.T) {
	m := little(t, zoo.Config{Classes: 2})
	for name, meta := range map[string]map[string]string{
		"not JSON":    {"stheno.preprocess": "{"},
		"deviation":   {"stheno.preprocess": `{"Std":[0,1,1]}`},
		"filter":      {"stheno.preprocess": `{"Filter":"magic"}`},
		"resize":      {"stheno.preprocess": `{"Size":[1,1],"Resize":9000000000}`},
		"labels":      {"stheno.labels": `"cat"`},
		"labels list": {"stheno.labels": `[1,2]`},
	} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := weights.SaveStore(path, m.Store(), meta); err != nil {
			t.Fatal(err)
		}
		if err := m.Load(path); err == nil || !strings.Contains(err.Error(), "stheno.") {
			t.Errorf("%s: error %v, want one that names the key", name, err)
		}
	}
}

// TestAuxiliaryHeads: they are passed over by a network without.
func TestAuxiliaryHeads(t *testing.T) {
	c := zoo.Config{Classes: 2, Aux: true, InputSize: [2]int{96, 96}}
	with, err := zoo.New("googlenet", c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := with.Save(path); err != nil {
		t.Fatal(err)
	}
	c.Aux = false
	without, err := zoo.New("googlenet", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := without.Load(path); err != nil {
		t.Error(err)
	}
}

// TestPredict compares with the steps done by hand, for batches larger than go through at once.
func TestPredict(t *testing.T) {
	m := little(t, zoo.Config{Classes: 10})
	var pictures []image.Image
	for i := range 11 {
		pictures = append(pictures, picture(50+7*i, 90-3*i, uint8(20*i)))
	}
	all, err := m.PredictBatch(context.Background(), pictures, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(pictures) {
		t.Fatalf("%d predictions, want %d", len(all), len(pictures))
	}
	for i, p := range pictures {
		x, err := m.Preprocess.Tensor(tensor.Float32, 3, p)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.Model.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		want, err := labels.Top(labels.Softmax(y.Float32s()), 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range want {
			// Batches of another size may be computed by other kernels, whose sums round differently.
			d := all[i][k].Probability - want[k].Probability
			if all[i][k].Index != want[k].Index || d > 1e-5 || d < -1e-5 {
				t.Errorf("picture %d: %v, want %v", i, all[i], want)
				break
			}
		}
	}
	pooled, err := m.Features(pictures[0], "pooled")
	if err != nil || !pooled.Shape().Eq(tensor.Shape{1, 512}) {
		t.Errorf("features of shape %v, error %v", pooled.Shape(), err)
	}
	if layer, err := m.Features(pictures[0], "layer2"); err != nil || !layer.Shape().Eq(tensor.Shape{1, 128, 8, 10}) {
		t.Errorf("features of shape %v, error %v", layer.Shape(), err)
	}
	if _, err := m.Features(pictures[0], "layer9"); err == nil || !strings.Contains(err.Error(), "layer4") {
		t.Errorf("error %v, want one that lists the stages", err)
	}
	if _, err := m.Predict(nil); err == nil {
		t.Error("no error for no picture")
	}
	if _, err := little(t, zoo.Config{Headless: true}).Predict(pictures[0]); err == nil || !strings.Contains(err.Error(), "no classes") {
		t.Errorf("headless: error %v", err)
	}
	grey := little(t, zoo.Config{Channels: 1})
	top, err := grey.Predict(pictures[0])
	if err != nil || len(top) != 5 || top[0].Name != labels.ImageNet()[top[0].Index] {
		t.Errorf("grey: %v, error %v", top, err)
	}
}

// TestPublished: every network has a preprocessing for its own size, and that of published weights is theirs.
func TestPublished(t *testing.T) {
	known := map[string]zoo.Info{}
	for _, i := range zoo.Models() {
		known[i.Name] = i
	}
	for _, w := range hub.All() {
		i, ok := known[w.Network]
		if !ok {
			t.Errorf("%s: there is no network %q", w.Name, w.Network)
			continue
		}
		if w.Preprocess.Size != [2]int{i.Input, i.Input} {
			t.Errorf("%s: preprocessing to %v, the network takes %d", w.Name, w.Preprocess.Size, i.Input)
		}
		if w.Name == w.Network && strings.HasPrefix(w.URL, "https://download.pytorch.org/") && w.Top1 != i.Top1 {
			t.Errorf("%s: %g per cent, the network's table says %g", w.Name, w.Top1, i.Top1)
		}
	}
	for name, want := range map[string]preprocess.Config{
		"squeezenet1_1":      preprocess.Torchvision(224, 256),
		"inception_v3":       preprocess.TorchvisionInception(299, 342),
		"mobilenet_v1_keras": preprocess.KerasTF(224),
		"resnet50_v1":        preprocess.Torchvision(224, 256),
	} {
		m, err := zoo.New(name, zoo.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m.Preprocess, want) || len(m.Labels) != 1000 {
			t.Errorf("%s: %+v and %d labels, want %+v", name, m.Preprocess, len(m.Labels), want)
		}
	}
}

// TestPretrained takes weights from the cache folder: those of a network whose digest is not published, so that a
// file of our own passes.
func TestPretrained(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	dir := t.TempDir()
	source, err := zoo.New("resnetv2_50", zoo.Config{InputSize: [2]int{64, 64}, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "resnetv2_50.safetensors")
	if err := source.Save(path); err != nil {
		t.Fatal(err)
	}
	c := zoo.Config{Headless: true, InputSize: [2]int{64, 64}, Seed: 6}
	m, err := zoo.PretrainedWith(context.Background(), "resnetv2_50", c, hub.Options{Dir: dir, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Store().Variables() {
		if !slices.Equal(v.Value.Float32s(), source.Store().Get(v.Name).Value.Float32s()) {
			t.Errorf("%s was not loaded", v.Name)
		}
	}
	if want := preprocess.TimmResNetV2().For(64, 64); !reflect.DeepEqual(m.Preprocess, want) {
		t.Errorf("preprocessing %+v, want %+v", m.Preprocess, want)
	}
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := zoo.PretrainedWith(context.Background(), "resnetv2_50", c, hub.Options{Dir: dir, Offline: true}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
	if _, err := zoo.Pretrained("nonsense", dir); err == nil {
		t.Error("no error for a network without weights")
	}
}
