package weights

import (
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/hdf5"
)

// readHDF5 lists the variables of a Keras model under LAYER/KIND, as "conv1_conv/kernel", in any of the forms that
// Keras has written; of another file all datasets by their paths. names are the layers by their places in a file of
// Keras 3, if another file tells.
func readHDF5(r io.ReaderAt, size int64, names map[string]string) ([]Info, error) {
	f, err := hdf5.Open(r, size)
	if err != nil {
		return nil, err
	}
	root, err := f.Root()
	if err != nil {
		return nil, err
	}
	k := kerasHDF5{names: names}
	legacy := root
	if root.Has("model_weights") { // model.save in Keras 1 and 2
		if legacy, err = root.Group("model_weights"); err != nil {
			return nil, err
		}
	}
	layers, err := stringList(legacy, "layer_names")
	switch {
	case err != nil:
	case layers != nil:
		err = k.legacy(legacy, layers)
	case root.Has("layers"):
		err = k.container(root, "layers", "")
	case root.Has("_layer_checkpoint_dependencies"): // Keras 2.12
		err = k.container(root, "_layer_checkpoint_dependencies", "")
	default:
		err = root.Walk(func(d *hdf5.Dataset) error { return k.add(strings.TrimPrefix(d.Path(), "/"), d) })
	}
	return k.infos, err
}

// kerasHDF5 collects the variables of a file.
type kerasHDF5 struct {
	names map[string]string
	infos []Info
}

// stringList is an attribute of many strings, which Keras cuts into NAME0, NAME1, … when it is too long for HDF5.
// It is nil if there is none.
func stringList(g *hdf5.Group, name string) ([]string, error) {
	list, ok, err := g.Strings(name)
	if ok || err != nil {
		return append([]string{}, list...), err
	}
	for i := 0; ; i++ {
		part, ok, err := g.Strings(name + strconv.Itoa(i))
		if !ok || err != nil {
			return list, err
		}
		list = append(list, part...)
	}
}

// legacy reads the form of Keras 1 and 2, and of Keras 3's .h5: a group for each layer, whose attribute
// weight_names has the order of the layer's variables.
func (k *kerasHDF5) legacy(g *hdf5.Group, layers []string) error {
	if backend, _, err := g.Strings("backend"); err != nil {
		return err
	} else if slices.Equal(backend, []string{"theano"}) {
		return errors.New("Keras wrote this file on Theano, which turns kernels by 180°; want one for TensorFlow")
	}
	const top = "top_level_model_weights"
	if g.Has(top) {
		layers = append(layers, top)
	}
	for _, name := range layers {
		layer, err := g.Group(name)
		if err != nil {
			return err
		}
		variables, err := stringList(layer, "weight_names")
		if err != nil {
			return err
		}
		// A model may be a layer of another; its variables have the names of its layers.
		var scopes []string
		byScope := make(map[string][]string)
		for _, v := range variables {
			scope, _ := path.Split(v)
			if byScope[scope] == nil {
				scopes = append(scopes, scope)
			}
			byScope[scope] = append(byScope[scope], v)
		}
		for _, scope := range scopes {
			prefix := name
			if len(scopes) > 1 {
				prefix = path.Join(name, scope)
			}
			var sets []*hdf5.Dataset
			var kinds []string
			for _, v := range byScope[scope] {
				d, err := layer.Dataset(v)
				if err != nil {
					return err
				}
				sets = append(sets, d)
				kind, _, _ := strings.Cut(path.Base(v), ":")
				kinds = append(kinds, kind)
			}
			if err := k.layer(prefix, kinds, sets); err != nil {
				return err
			}
		}
	}
	return nil
}

// unnamed is what the names of layers begin with that are only known by class and order.
const unnamed = "layers."

// automatic are the names that Keras 3 makes of the classes of layers with variables.
var automatic = regexp.MustCompile(`^(conv2d|depthwise_conv2d|separable_conv2d|dense|batch_normalization)(_\d+)?$`)

// container reads the layers in a group of Keras 3's form, LAYER/vars/0, 1, …, where LAYER is the class and a
// number. The layer's own name is an attribute since Keras 3.6.
func (k *kerasHDF5) container(parent *hdf5.Group, name, prefix string) error {
	g, err := parent.Group(name)
	if err != nil {
		return err
	}
	for _, child := range g.Names() {
		layer, err := g.Group(child)
		if err != nil {
			return err
		}
		if err := k.object(layer, child, prefix); err != nil {
			return err
		}
	}
	return nil
}

// object reads a layer and what is in it.
func (k *kerasHDF5) object(g *hdf5.Group, name, prefix string) error {
	if own := k.names[strings.Replace(strings.TrimPrefix(g.Path(), "/"), "_layer_checkpoint_dependencies", "layers", 1)]; own != "" {
		name = own
	} else if automatic.MatchString(name) {
		name = unnamed + name
	}
	var vars *hdf5.Group
	if g.Has("vars") {
		var err error
		if vars, err = g.Group("vars"); err != nil {
			return err
		}
		own, ok, err := vars.Strings("name")
		if err != nil {
			return err
		}
		if ok && len(own) == 1 && own[0] != "" {
			name = own[0]
		}
		var sets []*hdf5.Dataset
		for i := range vars.Names() {
			d, err := vars.Dataset(strconv.Itoa(i))
			if err != nil {
				return err
			}
			sets = append(sets, d)
		}
		kinds := make([]string, len(sets))
		if strings.HasPrefix(path.Base(g.Path()), "depthwise_conv2d") && len(sets) > 0 {
			kinds[0] = "depthwise_kernel"
			if len(sets) == 2 {
				kinds[1] = "bias"
			}
		}
		if err := k.layer(prefix+name, kinds, sets); err != nil {
			return err
		}
	}
	for _, child := range g.Names() {
		switch child {
		case "vars", "seed_generator": // of dropout
		case "layers":
			if err := k.container(g, child, prefix+name+"/"); err != nil {
				return err
			}
		default:
			sub, err := g.Group(child)
			if err == nil {
				err = k.object(sub, child, prefix+name+"/")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// layer adds the variables of a layer. Where their names are not those of Keras 2 and 3, their order and ranks tell
// what they are, by which Keras goes too.
func (k *kerasHDF5) layer(name string, kinds []string, sets []*hdf5.Dataset) error {
	known := true
	for i, kind := range kinds {
		known = known && kerasKinds[kind] != "" && !slices.Contains(kinds[:i], kind)
	}
	if !known {
		kinds = kindsByRank(sets)
	}
	for i, d := range sets {
		kind := strconv.Itoa(i)
		if i < len(kinds) {
			kind = kinds[i]
		}
		if err := k.add(name+"/"+kind, d); err != nil {
			return err
		}
	}
	return nil
}

// kindsByRank are the variables of a layer of the kinds that the networks here have; nil for another kind.
func kindsByRank(sets []*hdf5.Dataset) []string {
	text := ""
	for _, d := range sets {
		text += strconv.Itoa(len(d.Shape())) + " "
	}
	switch strings.TrimSpace(text) {
	case "4", "4 1", "2", "2 1":
		return []string{"kernel", "bias"}
	case "4 4", "4 4 1":
		return []string{"depthwise_kernel", "pointwise_kernel", "bias"}
	case "1 1 1 1":
		return []string{"gamma", "beta", "moving_mean", "moving_variance"}
	case "1 1 1": // scale=False, as in Inception
		return []string{"beta", "moving_mean", "moving_variance"}
	}
	return nil
}

// maxName bounds names, of which a hostile file may have many with a long beginning.
const maxName = 1 << 12

// add adds a tensor.
func (k *kerasHDF5) add(name string, d *hdf5.Dataset) error {
	dt, err := hdf5Type(d)
	if err != nil {
		return err
	}
	info := Info{Name: name, DType: dt, end: d.Size(), from: &storage{size: d.Size(), unpack: d.Bytes}}
	if len(name) > maxName {
		return errors.Errorf("%s: a name of %d bytes, want at most %d", d.Path(), len(name), maxName)
	}
	if len(d.Shape()) > maxRank {
		return errors.Errorf("%s: shape %v, want at most %d axes", d.Path(), d.Shape(), maxRank)
	}
	if len(d.Shape()) > 0 {
		info.Shape = tensor.Shape(d.Shape())
	}
	if at, ok := d.Place(); ok {
		info.from.at, info.from.unpack = at, nil
	}
	k.infos = append(k.infos, info)
	return nil
}

var hdf5Types = map[hdf5.Class]map[int]DType{
	hdf5.Float: {2: F16, 4: F32, 8: F64}, hdf5.BFloat: {2: BF16},
	hdf5.Int: {1: I8, 2: I16, 4: I32, 8: I64}, hdf5.Uint: {1: U8, 2: U16, 4: U32, 8: U64},
}

func hdf5Type(d *hdf5.Dataset) (DType, error) {
	t := d.Type()
	if dt, ok := hdf5Types[t.Class][t.Size]; ok {
		return dt, nil
	}
	if t.Class == hdf5.Opaque && t.Size == 2 { // how Keras 3 writes bfloat16
		dtype, _, err := d.Strings("dtype")
		if err != nil || slices.Equal(dtype, []string{"bfloat16"}) {
			return BF16, err
		}
	}
	return "", errors.Errorf("%s: HDF5: elements of %v; numbers are read", d.Path(), t)
}
