package gan

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// Conditional gives a generator or a discriminator classes (Mirza and Osindero 2014): each has a learnt vector, which
// joins the network's input as further channels. Its variable is embedding.weight [Classes, D]. The classes of a batch
// are an input of the graph, [N] of type int, that is marked "labels".
//
// A latent vector [N, L, 1, 1] gets Channels more numbers; a picture [N, C, H, W] gets Channels more planes, whose every
// pixel is learnt.
type Conditional struct {
	Classes  int
	Channels int // 0 means 1
	Net      nn.Layer
}

const embedding = "embedding"

// Apply adds the input of classes, the embedding, and then Net on x [N, C, H, W] and what the classes add to it.
func (l Conditional) Apply(g *graph.Graph, x *graph.Node) *graph.Node {
	if g.Err() != nil || x == nil {
		return nil
	}
	s := x.Shape()
	if len(s) != 4 || l.Classes < 1 || l.Channels < 0 {
		g.Fail("conditional", errors.Errorf("%d classes, %d channels, input of shape %v: want at least one class, no channels below 0, and [N, C, H, W]", l.Classes, l.Channels, s), x)
		return nil
	}
	labels := g.Mark(labelsMark, g.Labels(labelsMark, s[0]))
	joined := g.Apply("embedding", embedding, func(g *graph.Graph) (*graph.Node, error) {
		channels := max(l.Channels, 1)
		table := g.Parameter("weight", nn.Normal{Std: 1}, l.Classes, channels*s[2]*s[3])
		if err := g.Err(); err != nil {
			return nil, err
		}
		e, err := ops.Gather(table, labels) // [N, D]
		if err != nil {
			return nil, err
		}
		if e, err = ops.Reshape(e, s[0], channels, s[2], s[3]); err != nil {
			return nil, err
		}
		return ops.Concat(1, x, e)
	}, x, labels)
	return l.Net.Apply(g, joined)
}

// classesOf is how many classes a network made by Conditional has.
func classesOf(m *nn.Model) (int, error) {
	v := m.Store().Get(embedding + ".weight")
	if v == nil {
		return 0, errors.Errorf("the network has an input of classes, but no %s.weight that would tell how many there are: make it with Conditional", embedding)
	}
	return v.Value.Shape()[0], nil
}
