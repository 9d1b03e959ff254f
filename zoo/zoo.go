package zoo

import (
	"io"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// Config says how a network differs from the published one. The zero value is the published one, for
// evaluation, with fresh weights in float32.
type Config struct {
	Classes   int    // 0 means as published; networks without classes take no notice
	Channels  int    // of the pictures; 0 means 3
	InputSize [2]int // height and width in pixels; 0, 0 means as published
	Headless  bool   // without classifier: the result is the pooled features [N, D]
	Aux       bool   // with the auxiliary heads, where the network has any; training with them wants Model.Loss

	// DropRate is the probability of the dropouts in the network: 0 means as published, below 0 none.
	DropRate float64
	ZeroInit bool // the last batch norm of each residual branch begins at 0 (Goyal et al. 2017, section 5.1)

	Dtype tensor.Dtype // float32 unless set to float64
	Seed  uint64       // of the first weights
	Blank bool         // first weights are 0: quicker where weights are about to be read from a file
}

// Model is a network of the zoo.
type Model struct {
	*nn.Model
	Info   Info   // the published network
	Config Config // with what was 0 filled in

	// Preprocess makes the network's input of pictures, and Labels names its classes where their names are known.
	// Both belong to the weights: New gives those of the published ones, Load what the file was saved with.
	Preprocess preprocess.Config
	Labels     []string
}

// New makes a network with fresh weights. Names of variables are those of the implementation that Info's table
// names, so that its weights fit. It is an error if there is no network of the name, or if the network cannot
// take pictures of the size.
func New(name string, c Config) (*Model, error) {
	n := find(name)
	if n == nil {
		return nil, errors.Errorf("zoo: no network %q; there are %s", name, strings.Join(Names(), ", "))
	}
	info := n.info()
	if c.Classes < 0 || c.Channels < 0 || c.InputSize[0] < 0 || c.InputSize[1] < 0 || (c.InputSize[0] == 0) != (c.InputSize[1] == 0) || c.DropRate >= 1 {
		return nil, errors.Errorf("zoo: %s: Classes %d, Channels %d, InputSize %v, DropRate %g: want none negative but DropRate, both sizes or none, DropRate less than 1",
			info.Name, c.Classes, c.Channels, c.InputSize, c.DropRate)
	}
	if c.Classes == 0 {
		c.Classes = info.classes
	}
	if c.Channels == 0 {
		c.Channels = 3
	}
	if c.InputSize == [2]int{} {
		c.InputSize = [2]int{info.Input, info.Input}
	}
	input := []int{c.Channels, c.InputSize[0], c.InputSize[1]}
	if info.latent > 0 {
		input[0] = info.latent
	}
	m, err := nn.NewModel(n.net(c), input, nn.ModelConfig{Name: info.Name, Seed: c.Seed, Dtype: c.Dtype, Blank: c.Blank})
	if err != nil {
		return nil, errors.Wrapf(err, "zoo: %s for pictures %v", info.Name, input)
	}
	z := &Model{Model: m, Info: info, Config: c}
	z.Preprocess, z.Labels = z.published()
	return z, nil
}

// Loss is the mean cross-entropy of the output and, in training, of each auxiliary head with the weight that
// was published with it (0.3 for GoogLeNet's, 0.4 for Inception v3's). It is a train.Loss.
func (m *Model) Loss(g *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
	terms := make([]*graph.Node, 1)
	var err error
	if terms[0], err = ops.SoftmaxCrossEntropy(output, labels); err != nil {
		return nil, err
	}
	for _, a := range m.Info.aux {
		head := g.Marked(a.scope)
		if head == nil || g.Mode() != graph.Train {
			continue
		}
		l, err := ops.SoftmaxCrossEntropy(head, labels)
		if err != nil {
			return nil, errors.Wrap(err, a.scope)
		}
		if l, err = ops.MulScalar(l, a.weight); err != nil {
			return nil, errors.Wrap(err, a.scope)
		}
		terms = append(terms, l)
	}
	return ops.Sum(terms...)
}

// AuxScopes names the scopes of the network's auxiliary heads, whether or not the model has them: what begins
// so in a file of weights is of no use to a model without.
func (m *Model) AuxScopes() []string {
	var scopes []string
	for _, a := range m.Info.aux {
		scopes = append(scopes, a.scope)
	}
	return scopes
}

// Stages names what can be asked of the model beside its output (nn.Model.Outputs): the last feature map of
// each stage, "features" and "pooled", and auxiliary heads.
func (m *Model) Stages() ([]string, error) {
	b, err := m.Build(graph.Eval, 1, nil)
	if err != nil {
		return nil, err
	}
	return b.Graph.Marks(), nil
}

// Freeze freezes all variables under the given scopes, such as "layer1"; no scope means all. Frozen batch norms
// keep their statistics still. It holds for what is built from then on.
func (m *Model) Freeze(scopes ...string) error { return m.Store().Freeze(orAll(scopes)...) }

// Unfreeze undoes Freeze.
func (m *Model) Unfreeze(scopes ...string) error { return m.Store().Unfreeze(orAll(scopes)...) }

func orAll(scopes []string) []string {
	if len(scopes) == 0 {
		return []string{""}
	}
	return scopes
}

// Count is what a network costs.
type Count struct {
	Params    int64 // trained, without those of auxiliary heads
	AuxParams int64 // of auxiliary heads
	Buffers   int64 // elements of running statistics, without those of auxiliary heads
	MACs      int64 // multiply-adds of convolutions and linear layers for one example, without auxiliary heads
}

// Count counts the model as it is configured.
func (m *Model) Count() (Count, error) {
	b, err := m.Build(graph.Eval, 1, nil)
	if err != nil {
		return Count{}, err
	}
	var c Count
	for _, l := range b.Graph.Layers() {
		if m.inAux(l.Path) {
			c.AuxParams += int64(l.Own)
			continue
		}
		c.Params += int64(l.Own)
		c.Buffers += int64(l.Stats)
		c.MACs += l.MACs
	}
	return c, nil
}

func (m *Model) inAux(path string) bool {
	for _, a := range m.Info.aux {
		if path == a.scope || strings.HasPrefix(path, a.scope+".") {
			return true
		}
	}
	return false
}

// Summary prints the layers of the published network of a name, as Config changes it.
func Summary(w io.Writer, name string, c Config) error {
	c.Blank = true
	m, err := New(name, c)
	if err != nil {
		return err
	}
	return m.Summary(w)
}
