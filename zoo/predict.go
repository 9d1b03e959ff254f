package zoo

import (
	"context"
	"image"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/labels"
)

// atOnce is how many pictures go through the network together.
const atOnce = 8

// Predict is the five most probable classes of a picture, of any size.
func (m *Model) Predict(picture image.Image) ([]labels.Label, error) {
	all, err := m.PredictBatch(context.Background(), []image.Image{picture}, 5)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// PredictBatch is the k most probable classes of each picture.
func (m *Model) PredictBatch(ctx context.Context, pictures []image.Image, k int) ([][]labels.Label, error) {
	if m.Config.Headless || m.Config.Classes == 0 {
		return nil, errors.Errorf("zoo: %s has no classes to predict (Headless %v)", m.Info.Name, m.Config.Headless)
	}
	names := m.Labels
	if len(names) != m.Config.Classes {
		names = nil
	}
	out := make([][]labels.Label, 0, len(pictures))
	for len(pictures) > 0 {
		n := min(len(pictures), atOnce)
		scores, err := m.on(ctx, pictures[:n])
		if err != nil {
			return nil, errors.WithMessagef(err, "pictures from number %d on", len(out))
		}
		pictures = pictures[n:]
		for i := range n {
			p := probabilities(scores, i, m.Config.Classes)
			top, err := labels.Top(p, k, names)
			if err != nil {
				return nil, errors.WithMessagef(err, "picture %d", len(out))
			}
			out = append(out, top)
		}
	}
	return out, nil
}

// probabilities is the softmax of row i of scores, [N, classes].
func probabilities(scores *tensor.Dense, i, classes int) []float64 {
	if scores.Dtype() == tensor.Float64 {
		return labels.Softmax(scores.Float64s()[i*classes:][:classes])
	}
	return labels.Softmax(scores.Float32s()[i*classes:][:classes])
}

// Features is what a stage of the network, one of Stages, makes of a picture: [1, C, H, W] for feature maps, [1, D]
// for "pooled".
func (m *Model) Features(picture image.Image, stage string) (*tensor.Dense, error) {
	return m.on(context.Background(), []image.Image{picture}, stage)
}

// on runs the network on pictures.
func (m *Model) on(ctx context.Context, pictures []image.Image, stages ...string) (*tensor.Dense, error) {
	if m.Info.latent > 0 {
		return nil, errors.Errorf("zoo: %s makes pictures and takes none", m.Info.Name)
	}
	x, err := m.Preprocess.Tensor(m.Store().Dtype(), m.Input[0], pictures...)
	if err != nil {
		return nil, errors.WithMessage(err, "zoo: "+m.Info.Name)
	}
	if len(stages) == 0 {
		return m.Model.Predict(ctx, x)
	}
	out, err := m.Outputs(ctx, x, stages...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
