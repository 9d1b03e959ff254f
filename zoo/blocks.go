package zoo

import (
	"strconv"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// convs makes the convolutions of an Inception family: each has a batch norm and a ReLU of its own and the
// variables NAME.conv.weight, NAME.bn.weight, …; where the name is empty, conv.weight, bn.weight, … of the
// scope around.
type convs struct {
	init  graph.Init
	norm  nn.BatchNorm // Eps and whatever else differs
	plain bool         // a bias instead of the batch norm

	careful bool // see nn.Conv2D
}

// unit is a convolution with what belongs to it.
func (f convs) unit(name string, c nn.Conv2D) nn.Layer {
	c.Name, c.Init, c.NoBias, c.Careful = "conv", f.init, !f.plain, f.careful
	layers := nn.Sequential{c}
	if !f.plain {
		norm := f.norm
		norm.Name = "bn"
		layers = append(layers, norm)
	}
	layers = append(layers, nn.ReLU{})
	if name == "" {
		return layers
	}
	return nn.Named{Name: name, Layer: layers}
}

// same is a unit whose result is as large as its input, with a window of h by w.
func (f convs) same(name string, filters, h, w int) nn.Layer {
	return f.unit(name, nn.Conv2D{Filters: filters, Window: [2]int{h, w}, Padding: [4]int{h / 2, h / 2, w / 2, w / 2}})
}

// valid is a unit without padding.
func (f convs) valid(name string, filters, kernel, stride int) nn.Layer {
	return f.unit(name, nn.Conv2D{Filters: filters, Kernel: kernel, Stride: stride})
}

// in is layers in a scope of their own.
func in(scope string, layers ...nn.Layer) nn.Layer {
	return nn.Named{Name: scope, Layer: nn.Sequential(layers)}
}

// list is layers in a scope, each in a scope of its own there: 0, 1, … as in PyTorch's Sequential.
func list(scope string, layers ...nn.Layer) nn.Layer {
	return nn.Named{Name: scope, Layer: numbered(layers)}
}

func numbered(layers []nn.Layer) nn.Sequential {
	var s nn.Sequential
	for i, l := range layers {
		s = append(s, named(strconv.Itoa(i), l))
	}
	return s
}

// named gives a layer's variables their scope: it is the layer's name where it can have one.
func named(name string, l nn.Layer) nn.Layer {
	switch l := l.(type) {
	case nn.Mark:
		l.Layer = named(name, l.Layer)
		return l
	case nn.BatchNorm:
		l.Name = name
		return l
	case nn.InstanceNorm:
		l.Name = name
		return l
	case nn.Conv2D:
		l.Name = name
		return l
	case nn.TransposedConv2D:
		l.Name = name
		return l
	case nn.Linear:
		l.Name = name
		return l
	}
	return nn.Named{Name: name, Layer: l}
}

// stage marks what a scope of layers computes with the scope's name.
func stage(scope string, layers ...nn.Layer) nn.Layer {
	return nn.Mark{Name: scope, Layer: in(scope, layers...)}
}

// pooled ends the features of a network: their mean over the picture, [N, D].
func pooled(features ...nn.Layer) nn.Sequential {
	return nn.Sequential{
		nn.Mark{Name: "features", Layer: nn.Sequential(features)},
		nn.Mark{Name: "pooled", Layer: nn.GlobalAvgPool{}},
	}
}

// head puts dropout and the classifier on pooled features, unless the model is headless. drop is the published
// probability.
func (c Config) head(features nn.Sequential, drop float64, classifier nn.Linear) nn.Layer {
	if c.Headless {
		return features
	}
	classifier.Units = c.Classes
	return append(features, c.dropout(drop), classifier)
}

// dropout drops with the published probability unless Config says otherwise.
func (c Config) dropout(published float64) nn.Layer {
	if c.DropRate != 0 {
		published = max(c.DropRate, 0)
	}
	if published == 0 {
		return nn.Identity{}
	}
	return nn.Dropout{P: published}
}

// aux is an auxiliary head: it hangs on x, is marked with its scope, and x goes on.
func (c Config) aux(scope string, head ...nn.Layer) nn.Layer {
	if !c.Aux {
		return nn.Identity{}
	}
	return nn.Func(func(g *graph.Graph, x *nn.Node) *nn.Node {
		stage(scope, head...).Apply(g, x)
		return x
	})
}

// scaledResidual is relu(x + scale · body(x)), the block of Inception-ResNet (Szegedy et al. 2016, section 3.3).
func scaledResidual(scale float64, body nn.Layer, after nn.Layer) nn.Layer {
	if scale != 1 {
		body = nn.Sequential{body, nn.Scale(scale)}
	}
	return residual{body: body, after: after}
}

// residual is nn.Residual in the scope around it.
type residual struct{ body, shortcut, after nn.Layer }

func (r residual) Apply(g *graph.Graph, x *nn.Node) *nn.Node {
	short := x
	if r.shortcut != nil {
		short = r.shortcut.Apply(g, x)
	}
	y := r.body.Apply(g, x)
	y = g.Apply("add", "", func(*graph.Graph) (*nn.Node, error) { return ops.Sum(y, short) }, y, short)
	if r.after != nil {
		y = r.after.Apply(g, y)
	}
	return y
}
