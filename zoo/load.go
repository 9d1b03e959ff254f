package zoo

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/zoo/hub"
	"github.com/stheno-ml/stheno/zoo/labels"
	"github.com/stheno-ml/stheno/zoo/preprocess"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// kerasNames are the names of Keras's layers, by the beginning of a network's name.
var kerasNames = []struct {
	prefix string
	names  weights.KerasNames
}{
	{"resnet50v2", weights.KerasResNetV2}, {"resnet101v2", weights.KerasResNetV2}, {"resnet152v2", weights.KerasResNetV2},
	{"resnet", weights.KerasResNet}, {"inception_v3", weights.KerasInceptionV3}, {"xception", weights.KerasXception},
	{"inception_resnet_v2", weights.KerasInceptionResNetV2}, {"vgg", weights.KerasVGG},
	{"mobilenet_v1", weights.KerasMobileNet}, {"mobilenet_v2", weights.KerasMobileNetV2},
}

// Load reads the model's variables from a safetensors file, a PyTorch state dict, a Keras or a NumPy file, by the
// names of the implementation that the network follows (see package weights). Auxiliary heads in the file are passed over
// if the model has none. If the network is Keras's and the file has Keras's variables, they are renamed and
// turned. Unless everything fits, nothing changes and the error is a *weights.Mismatch.
func (m *Model) Load(path string, options ...weights.Option) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if !m.Config.Aux {
		options = append(options, weights.Skip(m.AuxScopes()...))
	}
	if base, ok := strings.CutSuffix(m.Info.Name, "_keras"); ok && kerasFile(f) {
		for _, k := range kerasNames {
			if strings.HasPrefix(base, k.prefix) {
				options = append(options, weights.Keras(k.names))
				break
			}
		}
	}
	belongs, err := m.readMetadata(f.Metadata)
	if err != nil {
		return errors.WithMessage(err, path)
	}
	if err := f.LoadStore(m.Store(), options...); err != nil {
		return err
	}
	belongs()
	return nil
}

func kerasFile(f *weights.File) bool {
	for _, name := range f.Names() {
		if strings.Contains(name, "/") {
			return true
		}
	}
	return false
}

// The keys of what Save writes beside the variables.
const (
	networkKey    = "stheno.network"
	preprocessKey = "stheno.preprocess"
	labelsKey     = "stheno.labels"
)

// Save writes the model's variables to a safetensors file, with the preprocessing and the names of the classes
// in its metadata.
func (m *Model) Save(path string) error {
	meta := map[string]string{networkKey: m.Info.Name}
	for key, v := range map[string]any{preprocessKey: m.Preprocess, labelsKey: m.Labels} {
		text, err := json.Marshal(v)
		if err != nil {
			return errors.Wrap(err, "zoo: "+key)
		}
		meta[key] = string(text)
	}
	return weights.SaveStore(path, m.Store(), meta)
}

// readMetadata checks what Save wrote; belongs makes it the model's.
func (m *Model) readMetadata(meta map[string]string) (belongs func(), err error) {
	p, names := m.Preprocess, m.Labels
	if text, ok := meta[preprocessKey]; ok {
		p = preprocess.Config{}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, errors.Wrap(err, preprocessKey)
		}
		p = p.For(m.Preprocess.Size[0], m.Preprocess.Size[1])
		if err := p.Check(3); err != nil {
			return nil, errors.WithMessage(err, preprocessKey)
		}
	}
	if text, ok := meta[labelsKey]; ok {
		var saved []string
		if err := json.Unmarshal([]byte(text), &saved); err != nil {
			return nil, errors.Wrap(err, labelsKey)
		}
		if len(saved) == m.Config.Classes { // else the head is another one
			names = saved
		}
	}
	return func() { m.Preprocess, m.Labels = p, names }, nil
}

// published is the preprocessing and the classes of the network's published weights.
func (m *Model) published() (preprocess.Config, []string) {
	h, w := m.Config.InputSize[0], m.Config.InputSize[1]
	size := m.Info.Input
	var names []string
	if m.Config.Classes == m.Info.classes {
		switch m.Info.classes {
		case 1000:
			names = labels.ImageNet()
		case 10:
			names = labels.CIFAR10()
		}
	}
	if weights, err := hub.Find(m.Info.Name); err == nil {
		return weights.Preprocess.For(h, w), names
	}
	base, keras := strings.CutSuffix(m.Info.Name, "_keras")
	var p preprocess.Config
	switch {
	case keras && (strings.HasPrefix(base, "vgg") || strings.HasPrefix(base, "resnet") && !strings.HasSuffix(base, "v2")):
		p = preprocess.KerasCaffe(size)
	case keras:
		p = preprocess.KerasTF(size)
	case m.Info.classes == 10:
		// Means and deviations of CIFAR-10's training pictures; they are taken whole.
		p = preprocess.Config{Mean: []float64{0.4914, 0.4822, 0.4465}, Std: []float64{0.2470, 0.2435, 0.2616}}
	case m.Info.classes != 1000:
		p = preprocess.Config{Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.5, 0.5, 0.5}} // −1 to 1, as a generator makes them
	default:
		p = preprocess.Torchvision(size, (size*8+3)/7) // 224 of 256
	}
	return p.For(h, w), names
}

// Pretrained is a network with published weights, which are downloaded into cacheDir ("" means the user's cache
// folder) if they are not there. name is one of hub.All's: "resnet50", "resnet50.v2".
func Pretrained(name, cacheDir string) (*Model, error) {
	return PretrainedWith(context.Background(), name, Config{}, hub.Options{Dir: cacheDir})
}

// PretrainedWith is Pretrained for another configuration of the network. If it has other classes, or none, the
// classifier is not loaded.
func PretrainedWith(ctx context.Context, name string, c Config, o hub.Options) (*Model, error) {
	w, err := hub.Find(name)
	if err != nil {
		return nil, err
	}
	m, err := New(w.Network, c)
	if err != nil {
		return nil, err
	}
	f, err := hub.Fetch(ctx, w, o)
	if err != nil {
		return nil, err
	}
	var options []weights.Option
	if m.Config.Headless || m.Config.Classes != m.Info.classes {
		options = append(options, weights.SkipHead())
	}
	if err := m.Load(f.Path, options...); err != nil {
		return nil, err
	}
	m.Preprocess = w.Preprocess.For(m.Config.InputSize[0], m.Config.InputSize[1])
	return m, nil
}
