package data

import (
	"image"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// Preprocess is the Transform that a network's weights want for pictures that are only to be looked at: resize, cut
// out the middle, scale, and order of channels, as zoo.Model.Preprocess has them.
func Preprocess(c preprocess.Config, channels int) (Transform, error) {
	if err := c.Check(channels); err != nil {
		return nil, err
	}
	return prepared{c, channels}, nil
}

type prepared struct {
	config   preprocess.Config
	channels int
}

func (p prepared) Shape() [3]int { return [3]int{p.channels, p.config.Size[0], p.config.Size[1]} }

func (p prepared) Apply(dst []float32, img image.Image, _ *rand.Rand) error {
	if s := p.Shape(); len(dst) != s[0]*s[1]*s[2] {
		return errors.Errorf("preprocess: room for %d numbers, want %v", len(dst), s)
	}
	x, err := p.config.Tensor(tensor.Float32, p.channels, img)
	if err != nil {
		return err
	}
	copy(dst, x.Float32s())
	return nil
}
