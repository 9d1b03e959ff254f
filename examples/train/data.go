package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/augment"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// pictures is a data set, what the network gets to see of it, and how the training pictures are changed anew
// each time that they are seen.
type pictures struct {
	train, test data.Dataset
	classes     []string
	channels    int
	side        int // pixels of the network's input, height and width
	change      []augment.Op

	// What does well on them.
	model  string
	epochs int
	rate   float64
}

// open finds the data set of a name. side is 0 for the pictures' usual size.
func open(name, dir string, side int, seed uint64) (*pictures, error) {
	var p *pictures
	var err error
	switch name {
	case "mnist":
		p = &pictures{channels: 1, side: 28, model: "small", epochs: 8, rate: 0.1}
		p.train, p.test, err = idx(data.MNIST(dir))
	case "fashion":
		if dir == "" {
			return nil, errors.New("-data fashion: name the folder of the four files with -dir (Debian's dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist)")
		}
		p = &pictures{channels: 1, side: 28, model: "small", epochs: 18, rate: 0.1}
		p.train, p.test, err = idx(data.FashionMNIST(dir))
	case "folder":
		if dir == "" {
			return nil, errors.New("-data folder: name the folder with -dir")
		}
		p = &pictures{channels: 3, side: 32, model: "cifar_resnet20", epochs: 15, rate: 0.2}
		p.train, p.test, err = folder(dir, seed)
	default:
		err = errors.Errorf("-data %q, want mnist, fashion or folder", name)
	}
	if err != nil {
		return nil, err
	}
	p.classes = data.Classes(p.train)
	if side > 0 {
		p.side = side
	}
	if name == "mnist" { // a mirrored digit is no digit
		p.change = []augment.Op{augment.RandomAffine{Degrees: 10, Translate: [2]float64{0.1, 0.1}, Scale: [2]float64{0.9, 1.1}, ShearX: [2]float64{-10, 10},
			Warp: augment.Warp{By: augment.Bilinear}}}
	} else {
		p.change = []augment.Op{augment.RandomCrop{Height: p.side, Width: p.side, Padding: p.side / 8}, augment.RandomHorizontalFlip{}}
	}
	return p, nil
}

func idx(train, test *data.Images, err error) (data.Dataset, data.Dataset, error) {
	return train, test, err
}

// folder reads dir/train and dir/test, each with a folder for every class, or else splits dir, a fifth of each
// class for the test.
func folder(dir string, seed uint64) (train, test data.Dataset, err error) {
	if _, err := os.Stat(filepath.Join(dir, "train")); err != nil {
		all, err := data.Folder(dir)
		if err != nil {
			return nil, nil, err
		}
		return data.SplitClasses(all, 0.2, seed)
	}
	first, err := data.Folder(filepath.Join(dir, "train"))
	if err != nil {
		return nil, nil, err
	}
	second, err := data.Folder(filepath.Join(dir, "test"))
	if err != nil {
		return nil, nil, err
	}
	if !slices.Equal(first.Classes(), second.Classes()) {
		return nil, nil, errors.Errorf("%s: the classes of train are %q, those of test %q", dir, first.Classes(), second.Classes())
	}
	return first, second, nil
}

// prepare measures what pictures must go through: to the network's size, less their mean, over their deviation.
func (p *pictures) prepare() (preprocess.Config, error) {
	c := preprocess.Config{Size: [2]int{p.side, p.side}}
	norm, err := augment.FitNormalize(p.train, p.channels, 5000)
	for i := range norm.Mean {
		c.Mean, c.Std = append(c.Mean, float64(norm.Mean[i])), append(c.Std, float64(norm.Std[i]))
	}
	return c, err
}

// augmented is what training pictures go through.
func (p *pictures) augmented(c preprocess.Config) augment.Pipeline {
	fit := []augment.Op{augment.Resize{Height: p.side}, augment.CenterCrop{Height: p.side, Width: p.side}}
	return augment.Pipeline{
		Channels: p.channels, Height: p.side, Width: p.side,
		Ops:    slices.Concat(fit, p.change),
		Floats: []augment.FloatOp{augment.Prepared(c)},
	}
}
