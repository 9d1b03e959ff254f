package weights

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// kerasWeights and kerasConfig are what a .keras file, a zip, has its variables and its layers in.
const (
	kerasWeights = "model.weights.h5"
	kerasConfig  = "config.json"
)

// readKerasZip reads a .keras file: its weights, and the names of its layers.
func readKerasZip(r io.ReaderAt, size int64, entries map[string]*zip.File) ([]Info, error) {
	var names map[string]string
	if e := entries[kerasConfig]; e != nil {
		const most = 1 << 26
		if err := checkPacked(e, size); err != nil {
			return nil, err
		}
		if e.UncompressedSize64 > most {
			return nil, errors.Errorf("entry %q has %d bytes, want at most %d", e.Name, e.UncompressedSize64, most)
		}
		text, err := unpack(e, int64(e.UncompressedSize64))
		if err != nil {
			return nil, err
		}
		names = make(map[string]string)
		if err := kerasLayerNames(text, "layers", names, 0); err != nil {
			return nil, errors.WithMessagef(err, "entry %q", e.Name)
		}
	}
	s, err := entryStorage(entries[kerasWeights], size)
	if err != nil {
		return nil, err
	}
	var all []byte // of an entry that is compressed, which Keras does not do
	weights := io.ReaderAt(io.NewSectionReader(r, s.at, s.size))
	if s.unpack != nil {
		if s.size/spread > size {
			return nil, errors.Errorf("entry %q has more than %d times the file's %d bytes", kerasWeights, spread, size)
		}
		if all, err = s.unpack(); err != nil {
			return nil, err
		}
		weights = bytes.NewReader(all)
	}
	infos, err := readHDF5(weights, s.size, names)
	if err != nil {
		return nil, errors.WithMessagef(err, "entry %q", kerasWeights)
	}
	for _, info := range infos {
		switch from := info.from; {
		case from.unpack != nil:
		case all == nil:
			from.at += s.at
		default:
			at, end := from.at, from.at+from.size
			from.unpack = func() ([]byte, error) { return all[at:end], nil }
		}
	}
	return infos, nil
}

// kerasLayerNames finds the name of each layer that a model's configuration lists, by its place in the file of
// weights: layers/CLASS_N, counted for each class.
func kerasLayerNames(text []byte, folder string, names map[string]string, depth int) error {
	const maxDepth = 16
	var model struct {
		Config struct {
			Layers []json.RawMessage `json:"layers"`
		} `json:"config"`
	}
	// Other models than those made of layers have another configuration; they need not be read.
	if err := json.Unmarshal(text, &model); err != nil || depth == maxDepth {
		return errors.Wrap(err, "JSON")
	}
	count := make(map[string]int)
	for _, text := range model.Config.Layers {
		var layer struct {
			Class  string `json:"class_name"`
			Config struct {
				Name string `json:"name"`
			} `json:"config"`
		}
		if err := json.Unmarshal(text, &layer); err != nil {
			return errors.Wrap(err, "JSON")
		}
		class := snakeCase(layer.Class)
		at := path.Join(folder, class)
		if n := count[class]; n > 0 {
			at += "_" + strconv.Itoa(n)
		}
		count[class]++
		if len(at) > maxName {
			return errors.Errorf("a layer of class %.40q…: a place of %d bytes, want at most %d", layer.Class, len(at), maxName)
		}
		names[at] = layer.Config.Name
		if layer.Class == "Functional" || layer.Class == "Sequential" {
			if err := kerasLayerNames(text, at+"/layers", names, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	beforeWord  = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	beforeUpper = regexp.MustCompile(`([a-z])([A-Z])`)
)

// snakeCase is the name that Keras gives to a layer of a class: SeparableConv2D is separable_conv2d.
func snakeCase(class string) string {
	s := beforeWord.ReplaceAllString(class, "${1}_$2")
	return strings.ToLower(beforeUpper.ReplaceAllString(s, "${1}_$2"))
}
