package gan

import (
	"encoding/json"
	"slices"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Keys of what a generator's file says beside its tensors.
const (
	pairKey    = "stheno.gan.pair"
	classesKey = "stheno.gan.classes"
)

// Save writes a generator alone, as safetensors with what Open needs to build it again: the pair that it is of and the
// names of its classes, nil where there are none.
func Save(path string, p Pair, generator *nn.Model, classes []string) error {
	p, err := p.withDefaults()
	if err != nil {
		return err
	}
	pair, err := json.Marshal(p)
	if err != nil {
		return errors.WithStack(err)
	}
	meta := map[string]string{pairKey: string(pair)}
	if classes != nil {
		names, err := json.Marshal(classes)
		if err != nil {
			return errors.WithStack(err)
		}
		meta[classesKey] = string(names)
	}
	return weights.SaveStore(path, generator.Store(), meta)
}

// Open reads what Save wrote.
func Open(path string) (p Pair, generator *nn.Model, classes []string, err error) {
	f, err := weights.Open(path)
	if err != nil {
		return p, nil, nil, err
	}
	defer f.Close()
	fail := func(err error) (Pair, *nn.Model, []string, error) {
		return Pair{}, nil, nil, errors.WithMessage(err, path)
	}
	text, ok := f.Metadata[pairKey]
	if !ok {
		return fail(errors.New("not a generator that gan.Save has written: it does not say what pair it is of"))
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fail(errors.Wrap(err, pairKey))
	}
	if p, err = p.withDefaults(); err != nil {
		return fail(err)
	}
	if text, ok := f.Metadata[classesKey]; ok {
		if err := json.Unmarshal([]byte(text), &classes); err != nil {
			return fail(errors.Wrap(err, classesKey))
		}
	}
	// The file must have room for what it says, before memory is taken for it.
	if err := p.plausible(f); err != nil {
		return fail(err)
	}
	if generator, err = p.generator(true); err != nil {
		return fail(err)
	}
	if err := f.LoadStore(generator.Store()); err != nil {
		return fail(err)
	}
	return p, generator, classes, nil
}

// plausible compares the shapes of the generator's largest weights, its first two filters and the embedding, with the
// file's.
func (p Pair) plausible(f *weights.File) error {
	inputs := p.Latent
	if p.Classes > 0 {
		inputs += p.Embed
		if err := hasShape(f, embedding+".weight", p.Classes, p.Embed); err != nil {
			return err
		}
	}
	suffix := ".weight"
	if p.GeneratorSpectral {
		suffix += "_orig"
	}
	outputs := p.Width << (p.doublings() - 1)
	next := outputs / 2
	if p.doublings() == 1 {
		next = p.Channels
	}
	if err := hasShape(f, "main.0"+suffix, inputs, outputs, 4, 4); err != nil {
		return err
	}
	return hasShape(f, "main.3"+suffix, outputs, next, 4, 4)
}

func hasShape(f *weights.File, name string, want ...int) error {
	t, ok := f.Info(name)
	if !ok {
		return errors.Errorf("no %s, which the generator of its pair has", name)
	}
	if !slices.Equal(t.Shape, want) {
		return errors.Errorf("%s has shape %v, the generator of its pair %v", name, t.Shape, want)
	}
	return nil
}
