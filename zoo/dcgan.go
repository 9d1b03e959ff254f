package zoo

import (
	"math/rand/v2"
	"strconv"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

const radfordDCGAN = "Radford, Metz and Chintala 2015, Unsupervised Representation Learning with DCGANs, arXiv:1511.06434"

// generator is a row of DCGAN's generators: a latent vector [N, 100, 1, 1] becomes a picture from −1 to 1.
// Names are those of PyTorch's example, main.0 to main.12 for 64 pixels. InputSize is the latent's: 1×1.
type generator struct {
	Info
	doublings int // by transposed convolutions of stride 2, after the first makes 4×4
}

// discriminator is a row of DCGAN's discriminators: a picture becomes the probability that it is real,
// [N, Classes, 1, 1] with one class. The mark "logits" is its logit; headless it is the result.
type discriminator struct {
	Info
	halvings int
}

const dcganWidth = 64 // channels of the layer next to the picture

var generators = []generator{
	{gan("dcgan_generator_32", 1, 100, 1068928, 17973248), 3},
	{gan("dcgan_generator", 1, 100, 3576704, 104628224), 4},
	{gan("dcgan_generator_128", 1, 100, 12786560, 551092224), 5},
}

var discriminators = []discriminator{
	{gan("dcgan_discriminator_32", 32, 0, 663296, 17567744), 3},
	{gan("dcgan_discriminator", 64, 0, 2765568, 103817216), 4},
	{gan("dcgan_discriminator_128", 128, 0, 11164416, 549470208), 5},
}

func gan(name string, input, latent int, params, macs int64) Info {
	return Info{Name: name, Params: params, MACs: macs, Input: input, Paper: radfordDCGAN, classes: 1, latent: latent}
}

func (r generator) net(c Config) nn.Layer {
	return DCGAN{Doublings: r.doublings, Channels: c.Channels, Headless: c.Headless}.Generator()
}

func (r discriminator) net(c Config) nn.Layer {
	return DCGAN{Doublings: r.halvings, Channels: c.Classes, Headless: c.Headless}.Discriminator()
}

// DCGAN is a pair of networks in the form of Radford et al., for those who want it wider, narrower or with
// another norm than the zoo's rows have. Names of variables are those of PyTorch's example.
type DCGAN struct {
	Doublings int  // from 4×4: pictures have 4·2^Doublings pixels on a side
	Width     int  // channels of the layer next to the picture; 0 means 64
	Channels  int  // of what the network gives: the picture's, or the discriminator's logits
	Headless  bool // without the layers that make these channels
	Spectral  bool // spectral norm of the filters

	// Norm makes the layer that follows convolutions; nil means batch norm, whose γ begins around 1.
	Norm func() nn.Layer
}

// Generator makes pictures from −1 to 1, [N, Channels, H, H], of latent vectors [N, D, 1, 1].
func (d DCGAN) Generator() nn.Layer {
	if err := d.check(); err != nil {
		return failing{err}
	}
	up := func(filters, stride, pad int) nn.Layer {
		return nn.TransposedConv2D{Filters: filters, Kernel: 4, Stride: stride, Pad: pad, NoBias: true, Spectral: d.Spectral, Init: nn.Normal{Std: 0.02}}
	}
	width := d.width() << (d.Doublings - 1)
	layers := []nn.Layer{up(width, 1, 0), d.norm(), nn.ReLU{}} // [N, width, 4, 4]
	for range d.Doublings - 1 {
		width /= 2
		layers = append(layers, up(width, 2, 1), d.norm(), nn.Mark{Name: "width" + strconv.Itoa(width), Layer: nn.ReLU{}})
	}
	if !d.Headless {
		layers = append(layers, up(d.Channels, 2, 1), nn.Tanh{})
	}
	return list("main", layers...)
}

// Discriminator makes of pictures [N, C, H, H] the probability that they are real, [N, Channels, 1, 1]; its
// logit is marked "logits".
func (d DCGAN) Discriminator() nn.Layer {
	if err := d.check(); err != nil {
		return failing{err}
	}
	conv := func(filters, stride, pad int) nn.Layer {
		return nn.Conv2D{Filters: filters, Kernel: 4, Stride: stride, Pad: pad, NoBias: true, Spectral: d.Spectral, Init: nn.Normal{Std: 0.02}}
	}
	leaky := nn.LeakyReLU{Slope: 0.2}
	width := d.width()
	layers := []nn.Layer{conv(width, 2, 1), leaky}
	for range d.Doublings - 1 {
		width *= 2
		layers = append(layers, conv(width, 2, 1), d.norm(), nn.Mark{Name: "width" + strconv.Itoa(width), Layer: leaky})
	}
	layers = append(layers, nn.Mark{Name: "logits", Layer: conv(d.Channels, 1, 0)})
	if !d.Headless {
		layers = append(layers, nn.Sigmoid{})
	}
	return list("main", layers...)
}

// check wants pictures of 8 to 1,024 pixels on a side.
func (d DCGAN) check() error {
	if d.Doublings < 1 || d.Doublings > 8 || d.Width < 0 || d.Width > 1<<16 {
		return errors.Errorf("DCGAN of %d doublings and width %d, want 1 to 8 doublings and a width of 0 to 65536", d.Doublings, d.Width)
	}
	return nil
}

// failing is a layer that cannot be built.
type failing struct{ cause error }

func (f failing) Apply(g *graph.Graph, x *nn.Node) *nn.Node {
	g.Fail("DCGAN", f.cause, x)
	return nil
}

func (d DCGAN) width() int {
	if d.Width == 0 {
		return dcganWidth
	}
	return d.Width
}

func (d DCGAN) norm() nn.Layer {
	if d.Norm == nil {
		return nn.BatchNorm{Init: aroundOne{}}
	}
	return d.Norm()
}

// aroundOne draws from the normal distribution of mean 1 and standard deviation 0.02.
type aroundOne struct{}

func (aroundOne) Fill(dst []float64, shape []int, rng *rand.Rand) {
	nn.Normal{Std: 0.02}.Fill(dst, shape, rng)
	for i := range dst {
		dst[i]++
	}
}
