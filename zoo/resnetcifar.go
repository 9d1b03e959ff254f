package zoo

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// cifarResnet is a row of the paper's ResNets for 32×32 pictures (He et al. 2015, section 4.2): three stages of
// n blocks of two 3×3 convolutions with 16, 32 and 64 channels, 6n+2 layers, shortcuts without weights (its
// option A). Names are those of akamaster/pytorch_resnet_cifar10.
type cifarResnet struct {
	Info
	n int
}

var cifarResnets = []cifarResnet{
	{cifar("cifar_resnet20", 269722, 40551040, 91.25), 3},
	{cifar("cifar_resnet32", 464154, 68862592, 92.49), 5},
	{cifar("cifar_resnet44", 658586, 97174144, 92.83), 7},
	{cifar("cifar_resnet56", 853018, 125485696, 93.03), 9},
	{cifar("cifar_resnet110", 1727962, 252887680, 93.57), 18},
}

func cifar(name string, params, macs int64, top1 float64) Info {
	return Info{Name: name, Params: params, MACs: macs, Input: 32, Top1: top1, Paper: heDeep, classes: 10}
}

func (r cifarResnet) net(c Config) nn.Layer {
	features := []nn.Layer{cifarConv("conv1", 16, 1), nn.BatchNorm{Name: "bn1"}, nn.Mark{Name: "stem", Layer: nn.ReLU{}}}
	for i := range 3 {
		var blocks []nn.Layer
		for k := range r.n {
			stride := 1
			if i > 0 && k == 0 {
				stride = 2
			}
			blocks = append(blocks, cifarBlock(c, 16<<i, stride))
		}
		features = append(features, stage("layer"+string(rune('1'+i)), numbered(blocks)))
	}
	return c.head(pooled(features...), 0, nn.Linear{Name: "linear", Init: nn.HeNormal{}})
}

func cifarBlock(c Config, planes, stride int) nn.Layer {
	b := residual{after: nn.ReLU{}, body: nn.Sequential{
		cifarConv("conv1", planes, stride), nn.BatchNorm{Name: "bn1"}, nn.ReLU{},
		cifarConv("conv2", planes, 1), nn.BatchNorm{Name: "bn2", ZeroInit: c.ZeroInit},
	}}
	if stride > 1 {
		b.shortcut = optionA{planes / 4}
	}
	return b
}

func cifarConv(name string, filters, stride int) nn.Conv2D {
	return nn.Conv2D{Name: name, Filters: filters, Kernel: 3, Stride: stride, Pad: 1, NoBias: true, Init: nn.HeNormal{}}
}

// optionA takes every other pixel and puts channels of zeros on both sides of x's.
type optionA struct{ side int }

func (o optionA) Apply(g *graph.Graph, x *nn.Node) *nn.Node {
	return g.Apply("option A", "", func(*graph.Graph) (*nn.Node, error) {
		half, err := ops.Slice(x, ops.Range{}, ops.Range{}, ops.Range{Step: 2}, ops.Range{Step: 2})
		if err != nil {
			return nil, err
		}
		zeros := []int{0, o.side, 0, 0}
		return ops.Pad(half, ops.PadConfig{Before: zeros, After: zeros})
	}, x)
}
