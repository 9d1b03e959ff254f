package metric

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"image"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/labels"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Network makes features of pictures.
type Network struct {
	// Name tells it from every other: architecture, stage, weights, preprocessing. Figures of networks with
	// different names are not comparable, and nothing here compares them.
	Name string
	// Apply makes features [N, D] of N pictures, and class probabilities [N, K] or nil if it has no classes.
	Apply func(ctx context.Context, pictures []image.Image) (features, probabilities *tensor.Dense, err error)
}

// Zoo makes a Network of a model of the zoo: features are those of a stage, one of zoo.Model.Stages, and probabilities
// the softmax of its output unless it is headless. Batch is the number of pictures that it takes at a time. Its Name
// has a sum over weights and preprocessing.
func Zoo(m *zoo.Model, stage string, batch int) (Network, error) {
	pre, err := json.Marshal(m.Preprocess)
	if err != nil {
		return Network{}, errors.Wrap(err, "network")
	}
	return Model(m.Model, stage, batch, ModelConfig{
		Headless:   m.Config.Headless || m.Config.Classes == 0,
		Preprocess: string(pre),
		Tensor: func(pictures []image.Image) (*tensor.Dense, error) {
			return m.Preprocess.Tensor(m.Store().Dtype(), m.Input[0], pictures...)
		},
	})
}

// ModelConfig says how Model makes a Network.
type ModelConfig struct {
	Tensor     func(pictures []image.Image) (*tensor.Dense, error) // [N, …], the model's input for N pictures
	Preprocess string                                              // tells Tensor from other functions; part of the sum in the Name
	Headless   bool                                                // the output is no class scores [N, K]
}

// Model is Zoo for any model that marks the stage. Feature maps [N, D, H, W] are averaged over the picture. The
// weights are those of the moment: after they change, make another Network.
func Model(m *nn.Model, stage string, batch int, c ModelConfig) (Network, error) {
	if c.Tensor == nil || batch < 1 {
		return Network{}, errors.Errorf("network: batch %d, want at least 1; Tensor given: %v", batch, c.Tensor != nil)
	}
	b, err := m.Build(graph.Eval, batch, nil)
	if err != nil {
		return Network{}, errors.Wrap(err, "network")
	}
	node := b.Graph.Marked(stage)
	if node == nil {
		return Network{}, errors.Errorf("network: %s has no stage %q; it has %s", m.Name, stage, strings.Join(b.Graph.Marks(), ", "))
	}
	if d := node.Dims(); d != 2 && d != 4 {
		return Network{}, errors.Errorf("network: stage %s of %s is %v, want [N, D] or [N, D, H, W]", stage, m.Name, node.Shape())
	}
	wanted := gorgonia.Nodes{node}
	if !c.Headless {
		if b.Output.Dims() != 2 {
			return Network{}, errors.Errorf("network: the output of %s is %v, want class scores [N, K], or Headless", m.Name, b.Output.Shape())
		}
		wanted = append(wanted, b.Output)
	}
	tape, err := graph.Compile(wanted, graph.Options{Private: true})
	if err != nil {
		return Network{}, errors.Wrap(err, "network")
	}
	sum, err := fingerprint(m, c.Preprocess)
	if err != nil {
		return Network{}, err
	}
	r := &runner{built: b, wanted: wanted, tape: tape, batch: batch, tensor: c.Tensor}
	size := strings.ReplaceAll(strings.Trim(fmt.Sprint(m.Input), "[]"), " ", "×")
	return Network{Name: fmt.Sprintf("%s/%s %s #%s", m.Name, stage, size, sum), Apply: r.apply}, nil
}

// fingerprint is a sum over a model's variables, as safetensors, and over what its preprocessing is called.
func fingerprint(m *nn.Model, preprocess string) (string, error) {
	h := sha256.New()
	var all []weights.Named
	for _, v := range m.Store().Variables() {
		all = append(all, weights.Named{Name: v.Name, Value: v.Value})
	}
	if err := weights.Write(h, all, map[string]string{"preprocess": preprocess}); err != nil {
		return "", errors.Wrap(err, "network")
	}
	return shortSum(h), nil
}

func shortSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:6]) }

type runner struct {
	built  *nn.Built
	wanted gorgonia.Nodes // features, and scores if there are any
	tape   *graph.Tape
	batch  int
	tensor func([]image.Image) (*tensor.Dense, error)
}

func (r *runner) apply(ctx context.Context, pictures []image.Image) (features, probabilities *tensor.Dense, err error) {
	var f, p []float64
	for part := range slices.Chunk(pictures, r.batch) {
		n := len(part)
		for len(part) < r.batch { // the rest of the batch is computed in vain
			part = append(slices.Clip(part), part[0])
		}
		x, err := r.tensor(part)
		if err != nil {
			return nil, nil, err
		}
		if err := r.tape.Let(r.built.Input, x); err != nil {
			return nil, nil, err
		}
		if err := r.tape.Run(ctx); err != nil {
			return nil, nil, err
		}
		if f, err = r.rows(f, 0, n, mean); err != nil {
			return nil, nil, err
		}
		if len(r.wanted) == 1 {
			continue
		}
		if p, err = r.rows(p, 1, n, func(dst, scores []float64, _ int) []float64 { return append(dst, labels.Softmax(scores)...) }); err != nil {
			return nil, nil, err
		}
	}
	n := len(pictures)
	if features, err = matrix(n, f); err != nil || len(r.wanted) == 1 {
		return features, nil, err
	}
	probabilities, err = matrix(n, p)
	return features, probabilities, err
}

// rows appends what take makes of the first n rows of an output.
func (r *runner) rows(dst []float64, output, n int, take func(dst, row []float64, channels int) []float64) ([]float64, error) {
	v, err := r.tape.Value(r.wanted[output])
	if err != nil {
		return nil, err
	}
	t, ok := v.(*tensor.Dense)
	if !ok {
		return nil, errors.Errorf("network: an output is a %T, want a tensor", v)
	}
	all := float64s(t)
	each := len(all) / r.batch
	for i := range n {
		dst = take(dst, all[i*each:][:each], t.Shape()[1])
	}
	return dst, nil
}

// mean appends the mean of each channel of a row [D, H, W].
func mean(dst, row []float64, channels int) []float64 {
	each := len(row) / channels
	for c := range channels {
		sum := 0.0
		for _, v := range row[c*each:][:each] {
			sum += v
		}
		dst = append(dst, sum/float64(each))
	}
	return dst
}

// matrix is values as [n, …].
func matrix(n int, values []float64) (*tensor.Dense, error) {
	if n == 0 || len(values) == 0 {
		return nil, errors.New("network: no pictures")
	}
	return tensor.New(tensor.WithShape(n, len(values)/n), tensor.WithBacking(values)), nil
}

func float64s(t *tensor.Dense) []float64 {
	if t.Dtype() == tensor.Float64 {
		return t.Float64s()
	}
	x := t.Float32s()
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
