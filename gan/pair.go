package gan

import (
	"math/bits"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
)

// Norm is what normalises the activations of a network of a Pair.
type Norm string

const (
	BatchNorm    Norm = "batch"    // as in DCGAN
	InstanceNorm Norm = "instance" // each picture by itself, with γ and β; a gradient penalty wants this, or none
	NoNorm       Norm = "none"
)

// Pair is DCGAN's pair of networks (Radford, Metz and Chintala 2016) and how it differs from the published one. The
// zero value, with 64 pixels, is the zoo's dcgan_generator and dcgan_discriminator.
type Pair struct {
	Size     int // pixels on a side: 8, 16, 32, …, 1024; 0 means 64
	Channels int // of pictures; 0 means 3
	Latent   int // numbers in a latent vector; 0 means 100
	Width    int // channels of the generator's layer next to the picture; 0 means 64
	Classes  int // of pictures; 0 for networks that know no classes
	Embed    int // numbers that the generator learns of each class; 0 means 50

	DiscriminatorWidth int  // 0 means Width
	GeneratorNorm      Norm // "" means BatchNorm
	DiscriminatorNorm  Norm // "" means BatchNorm
	Spectral           bool // spectral norm in the discriminator (Miyato et al. 2018)
	GeneratorSpectral  bool // in the generator too

	Dtype tensor.Dtype `json:"-"` // float32 unless set to float64
	Seed  uint64       // of first weights
}

// New makes the networks.
func (p Pair) New() (generator, discriminator *nn.Model, err error) {
	if generator, err = p.generator(false); err != nil {
		return nil, nil, err
	}
	discriminator, err = p.discriminator()
	return generator, discriminator, err
}

func (p Pair) withDefaults() (Pair, error) {
	setDefault(&p.Size, 64)
	setDefault(&p.Channels, 3)
	setDefault(&p.Latent, 100)
	setDefault(&p.Width, 64)
	setDefault(&p.DiscriminatorWidth, p.Width)
	setDefault(&p.Embed, 50)
	setDefault(&p.GeneratorNorm, BatchNorm)
	setDefault(&p.DiscriminatorNorm, BatchNorm)
	if p.Size < 8 || p.Size > 1024 || bits.OnesCount(uint(p.Size)) != 1 {
		return p, errors.Errorf("pair: pictures of %d pixels on a side, want a power of 2 from 8 to 1024", p.Size)
	}
	for _, v := range []struct {
		what      string
		got, most int
	}{{"Channels", p.Channels, 1 << 10}, {"Latent", p.Latent, 1 << 16}, {"Width", p.Width, 1 << 12}, {"DiscriminatorWidth", p.DiscriminatorWidth, 1 << 12}, {"Embed", p.Embed, 1 << 16}, {"Classes", p.Classes + 1, 1 << 20}} {
		if v.got < 1 || v.got > v.most {
			return p, errors.Errorf("pair: %s is out of range: %+v", v.what, p)
		}
	}
	for _, n := range []Norm{p.GeneratorNorm, p.DiscriminatorNorm} {
		if _, ok := norms[n]; !ok {
			return p, errors.Errorf("pair: norm %q, want %s, %s or %s", n, BatchNorm, InstanceNorm, NoNorm)
		}
	}
	return p, nil
}

// norms makes the layers; nil leaves the choice to the zoo.
var norms = map[Norm]func() nn.Layer{
	BatchNorm:    nil,
	InstanceNorm: func() nn.Layer { return nn.InstanceNorm{Affine: true} },
	NoNorm:       func() nn.Layer { return nn.Identity{} },
}

func (p Pair) doublings() int { return bits.Len(uint(p.Size)) - 3 } // from 4 pixels

func (p Pair) generator(blank bool) (*nn.Model, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	net := zoo.DCGAN{Doublings: p.doublings(), Width: p.Width, Channels: p.Channels, Spectral: p.GeneratorSpectral, Norm: norms[p.GeneratorNorm]}.Generator()
	if p.Classes > 0 {
		net = Conditional{Classes: p.Classes, Channels: p.Embed, Net: net}
	}
	m, err := nn.NewModel(net, []int{p.Latent, 1, 1}, nn.ModelConfig{Name: "generator", Seed: p.Seed, Dtype: p.Dtype, Blank: blank})
	return m, errors.WithMessage(err, "pair: generator")
}

func (p Pair) discriminator() (*nn.Model, error) {
	p, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	net := zoo.DCGAN{Doublings: p.doublings(), Width: p.DiscriminatorWidth, Channels: 1, Spectral: p.Spectral, Norm: norms[p.DiscriminatorNorm]}.Discriminator()
	if p.Classes > 0 {
		net = Conditional{Classes: p.Classes, Net: net}
	}
	m, err := nn.NewModel(net, []int{p.Channels, p.Size, p.Size}, nn.ModelConfig{Name: "discriminator", Seed: p.Seed, Dtype: p.Dtype})
	return m, errors.WithMessage(err, "pair: discriminator")
}
