package zoo

import (
	"math/rand/v2"
	"strconv"

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
	up := func(filters, stride, pad int) nn.Layer {
		return nn.TransposedConv2D{Filters: filters, Kernel: 4, Stride: stride, Pad: pad, NoBias: true, Init: nn.Normal{Std: 0.02}}
	}
	width := dcganWidth << (r.doublings - 1)
	layers := []nn.Layer{up(width, 1, 0), ganNorm(), nn.ReLU{}} // [N, width, 4, 4]
	for range r.doublings - 1 {
		width /= 2
		layers = append(layers, up(width, 2, 1), ganNorm(), nn.Mark{Name: "width" + strconv.Itoa(width), Layer: nn.ReLU{}})
	}
	if !c.Headless {
		layers = append(layers, up(c.Channels, 2, 1), nn.Tanh{})
	}
	return list("main", layers...)
}

func (r discriminator) net(c Config) nn.Layer {
	conv := func(filters, stride, pad int) nn.Layer {
		return nn.Conv2D{Filters: filters, Kernel: 4, Stride: stride, Pad: pad, NoBias: true, Init: nn.Normal{Std: 0.02}}
	}
	leaky := nn.LeakyReLU{Slope: 0.2}
	width := dcganWidth
	layers := []nn.Layer{conv(width, 2, 1), leaky}
	for range r.halvings - 1 {
		width *= 2
		layers = append(layers, conv(width, 2, 1), ganNorm(), nn.Mark{Name: "width" + strconv.Itoa(width), Layer: leaky})
	}
	layers = append(layers, nn.Mark{Name: "logits", Layer: conv(c.Classes, 1, 0)})
	if !c.Headless {
		layers = append(layers, nn.Sigmoid{})
	}
	return list("main", layers...)
}

func ganNorm() nn.Layer { return nn.BatchNorm{Init: aroundOne{}} }

// aroundOne draws from the normal distribution of mean 1 and standard deviation 0.02.
type aroundOne struct{}

func (aroundOne) Fill(dst []float64, shape []int, rng *rand.Rand) {
	nn.Normal{Std: 0.02}.Fill(dst, shape, rng)
	for i := range dst {
		dst[i]++
	}
}
