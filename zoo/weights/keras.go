package weights

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// KerasNames tells for the layers of a Keras model, by their names in the file, which scopes of a network here
// they are. A layer that it does not know is left out. "SCOPE H W" is the scope of a dense layer on flattened
// features of that height and width, [H, W, C] in Keras and [C, H, W] here. KerasResNet and the others are such
// functions.
type KerasNames func(layers []string) map[string]string

// Keras reads variables of a Keras model: a file that Keras wrote, or a safetensors or .npz file whose tensors have
// the names of Keras's variables ("conv1_conv/kernel:0", as numpy.savez(path, **{v.path: v for v in model.variables})
// writes them; v.name in Keras 2), with channels last. Kernels [H, W, I, O] become [O, I, H, W], depthwise ones [H, W, C, M] become
// [C·M, 1, H, W], dense ones [I, O] become [O, I], and gamma, beta, moving_mean and moving_variance get
// the names of here. The network must be Keras's version of it, such as resnet50_keras, whose arithmetic differs.
func Keras(names KerasNames) Option { return func(l *loading) { l.keras = names } }

// kerasKinds are the names of variables, in Keras and here.
var kerasKinds = map[string]string{
	"kernel": "weight", "depthwise_kernel": "conv1.weight", "pointwise_kernel": "pointwise.weight", "bias": "bias",
	"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}

// fromKeras renames the tensors and turns their axes. What no scope is known for keeps its name.
func fromKeras(infos []Info, names KerasNames) ([]Info, error) {
	var layers []string
	for _, info := range infos {
		if layer, _, ok := kerasVariable(info.Name); ok && !slices.Contains(layers, layer) {
			layers = append(layers, layer)
		}
	}
	scopes := names(layers)
	known := func(l string) bool { return scopes[l] != "" }
	if len(layers) > 0 && strings.HasPrefix(layers[0], unnamed) && !slices.ContainsFunc(layers, known) {
		return nil, errors.Errorf("Keras: the file tells layers by class and order alone, as %q, which do not tell what they are; "+
			"write it as .keras, or with Keras 3.6 or newer", layers[0])
	}
	out := make([]Info, len(infos))
	for i, info := range infos {
		out[i] = info
		layer, kind, ok := kerasVariable(info.Name)
		scope, known := scopes[layer]
		if !ok || !known {
			continue
		}
		scope, height, width, err := flattened(scope)
		if err != nil {
			return nil, err
		}
		name := kerasKinds[kind]
		// A layer of its own, DepthwiseConv2D, has its kernel under either name.
		depthwise := strings.HasPrefix(layer, "conv_dw_") || strings.HasSuffix(layer, "depthwise")
		if depthwise && strings.HasSuffix(kind, "kernel") {
			name, kind = "weight", "depthwise_kernel"
		}
		out[i].Name = scope + "." + name
		if err := turn(&out[i], kind, height, width); err != nil {
			return nil, errors.WithMessagef(err, "Keras: %q", info.Name)
		}
	}
	return out, nil
}

// kerasVariable splits "model/layer/kind:0".
func kerasVariable(name string) (layer, kind string, ok bool) {
	name, _, _ = strings.Cut(name, ":")
	path := strings.Split(name, "/")
	if len(path) < 2 {
		return "", "", false
	}
	layer, kind = path[len(path)-2], path[len(path)-1]
	return layer, kind, kerasKinds[kind] != ""
}

// flattened splits "SCOPE H W"; without numbers the layer sees features of one pixel.
func flattened(text string) (scope string, height, width int, err error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return text, 1, 1, nil
	}
	height, err = strconv.Atoi(fields[1])
	if err == nil {
		width, err = strconv.Atoi(fields[2])
	}
	if err != nil || height < 1 || width < 1 {
		return "", 0, 0, errors.Errorf("Keras: scope %q, want SCOPE or SCOPE H W", text)
	}
	return fields[0], height, width, nil
}

// turn gives a kernel the order of axes of here. Its elements stay where they are in the file. A dense kernel is
// that of features of height by width.
func turn(info *Info, kind string, height, width int) error {
	if !strings.HasSuffix(kind, "kernel") {
		return nil
	}
	from := info.layout
	if from == nil {
		from = make([]axis, len(info.Shape))
		stride := 1
		for i := len(from) - 1; i >= 0; i-- {
			from[i] = axis{info.Shape[i], stride}
			stride *= info.Shape[i]
		}
	}
	s := info.Shape
	switch {
	case len(s) == 4 && kind == "depthwise_kernel": // [H, W, C, M]
		info.Shape = tensor.Shape{s[2] * s[3], 1, s[0], s[1]}
		info.layout = []axis{from[2], from[3], from[0], from[1]}
	case len(s) == 4: // [H, W, I, O]
		info.Shape = tensor.Shape{s[3], s[2], s[0], s[1]}
		info.layout = []axis{from[3], from[2], from[0], from[1]}
	case len(s) == 2 && kind == "kernel" && s[0]%(height*width) == 0: // [H·W·C, O]
		info.Shape = tensor.Shape{s[1], s[0]}
		channels, stride := s[0]/(height*width), from[0].stride
		info.layout = []axis{from[1], {channels, stride}, {height, width * channels * stride}, {width, channels * stride}}
	default:
		return errors.Errorf("a kernel of shape %v, want 4 axes, or 2 in a dense layer of %d×%d pixels", s, height, width)
	}
	return nil
}

// sameButOnes tells whether two shapes differ only by axes of size 1 at the end: a dense layer may be a 1×1
// convolution in the other network.
func sameButOnes(a, b tensor.Shape) bool {
	trim := func(s tensor.Shape) tensor.Shape {
		for len(s) > 0 && s[len(s)-1] == 1 {
			s = s[:len(s)-1]
		}
		return s
	}
	return sameShape(trim(a), trim(b))
}

// rule renames layers that match a pattern as regexp.Expand does.
type rule struct{ pattern, scope string }

// byRules is the scopes of the layers that match; the first rule that does counts.
func byRules(layers []string, rules ...rule) map[string]string {
	scopes := make(map[string]string)
	for _, r := range rules {
		re := regexp.MustCompile("^(?:" + r.pattern + ")$")
		for _, l := range layers {
			if scopes[l] == "" && re.MatchString(l) {
				scopes[l] = re.ReplaceAllString(l, r.scope)
			}
		}
	}
	return scopes
}
