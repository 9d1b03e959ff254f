package weights_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// smallKeras is the model of testdata/keras/gen.py.
func smallKeras(t testing.TB) *nn.Model {
	t.Helper()
	conv := func(name string, filters, kernel int) nn.Layer {
		return nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, NoBias: true}
	}
	net := nn.Sequential{
		nn.Conv2D{Name: "conv", Filters: 4, Kernel: 3}, nn.BatchNorm{Name: "norm", NoScale: true, Eps: 1e-3}, nn.ReLU{},
		nn.DepthwiseConv2D{Name: "deep", Kernel: 3, Multiplier: 2, NoBias: true},
		nn.Named{Name: "separable", Layer: nn.Sequential{
			nn.DepthwiseConv2D{Name: "conv1", Kernel: 3, NoBias: true}, conv("pointwise", 5, 1),
		}},
		nn.BatchNorm{Name: "last", Eps: 1e-3}, nn.Flatten{}, nn.Linear{Name: "fc", Units: 3},
	}
	m, err := nn.NewModel(net, []int{3, 9, 8}, nn.ModelConfig{Dtype: tensor.Float64})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func smallKerasNames(layers []string) map[string]string {
	scopes := map[string]string{"deep_depthwise": "deep", "separable": "separable", "last_norm": "last", "scores": "fc 3 2"}
	for _, l := range layers {
		switch strings.TrimRight(l, "_0123456789") {
		case "conv2d", "convolution2d":
			scopes[l] = "conv"
		case "batch_normalization", "batchnormalization":
			scopes[l] = "norm"
		}
	}
	return scopes
}

// kerasFiles are the files of testdata/keras, unpacked.
func kerasFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/keras/*.gz")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		packed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if all[strings.TrimSuffix(filepath.Base(name), ".gz")], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func openBytes(b []byte) (*weights.File, error) {
	return weights.NewFile(bytes.NewReader(b), int64(len(b)))
}

// deflated is a zip file whose entries are compressed.
func deflated(t *testing.T, stored []byte) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(stored), int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	for _, e := range from.File {
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		w, err := to.Create(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestKerasHDF5 loads the model from every form of file, compares its scores with Keras's, and its variables with
// those that come back from a safetensors file.
func TestKerasHDF5(t *testing.T) {
	text, err := os.ReadFile("testdata/keras/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Picture, Scores []float64 }
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	const h, w, c = 9, 8, 3
	x := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, c, h, w))
	for i, v := range want.Picture { // [N, H, W, C]
		n, y, x1, k := i/(h*w*c), i/(w*c)%h, i/c%w, i%c
		x.Float64s()[((n*c+k)*h+y)*w+x1] = v
	}
	files := kerasFiles(t)
	files["compressed.keras"] = deflated(t, files["layers.keras"])
	for name, b := range files {
		m := smallKeras(t)
		f, err := openBytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		err = f.LoadStore(m.Store(), weights.Keras(smallKerasNames))
		if name == "layers_3.5.weights.h5" { // which has no names
			if err == nil || !strings.Contains(err.Error(), "Keras 3.6") {
				t.Errorf("%s: error %v, want one that says what helps", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := m.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range want.Scores {
			// Keras computes in float32: some hundred roundings of terms of one sign.
			if d := math.Abs(got.Float64s()[i] - s); d > 1e-5*math.Abs(s) {
				t.Errorf("%s: score %d is %g, want %g", name, i, got.Float64s()[i], s)
			}
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := weights.SaveStore(path, m.Store(), nil); err != nil {
			t.Fatal(err)
		}
		again := smallKeras(t)
		if err := weights.LoadStore(path, again.Store()); err != nil {
			t.Fatal(err)
		}
		same, err := again.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range got.Float64s() {
			if same.Float64s()[i] != s {
				t.Errorf("%s: score %d is %g from safetensors, %g from here", name, i, same.Float64s()[i], s)
			}
		}
	}
}

// TestHostileHDF5 changes files and cuts them off; what fails says where, and nothing panics.
func TestHostileHDF5(t *testing.T) {
	for name, b := range kerasFiles(t) {
		for at := 0; at < len(b); at += 1 + len(b)/150 {
			for _, v := range []byte{0, 0xff, b[at] + 1} {
				damaged := bytes.Clone(b)
				damaged[at] = v
				if f, err := openBytes(damaged); err == nil {
					_, _ = f.All()
				}
			}
			if _, err := openBytes(b[:at]); err == nil {
				t.Errorf("%s: no error though cut off after %d bytes", name, at)
			}
		}
	}
	var theano bytes.Buffer
	theano.Write(bytes.Replace(kerasFiles(t)["keras1.h5"], []byte("tensorflow"), []byte("theano\x00\x00\x00\x00"), 1))
	if _, err := openBytes(theano.Bytes()); err == nil || !strings.Contains(err.Error(), "Theano") {
		t.Errorf("kernels turned: error %v, want one with Theano", err)
	}
}
