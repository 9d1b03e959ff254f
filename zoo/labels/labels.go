// Package labels names classes: those of published networks, and the most probable ones of a prediction.
package labels

import (
	_ "embed"
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// imagenet.txt comes from an Apache-2.0 package that gen.sh names.
//
//go:embed imagenet.txt
var imagenet string

//go:embed cifar100.txt
var cifar100 string

// ImageNet is the 1000 classes of ImageNet's challenge of 2012, in the order of the outputs of torchvision's,
// timm's and Keras's networks. A name is a list of synonyms: "tench, Tinca tinca".
func ImageNet() []string { return strings.Split(strings.TrimSuffix(imagenet, "\n"), "\n") }

// CIFAR10 is the classes of CIFAR-10 in the order of its files.
func CIFAR10() []string {
	return []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
}

// CIFAR100 is the fine classes of CIFAR-100 in the order of its files.
func CIFAR100() []string { return strings.Fields(cifar100) }

// Label is a class and how probable it is.
type Label struct {
	Name        string
	Index       int
	Probability float64
}

// Top is the k most probable classes, the most probable first and equal ones by index. names may be nil; then
// the names are empty. There are fewer than k if there are fewer classes. It is an error if names are not as
// many as probabilities, or if a probability is not a number.
func Top[T float32 | float64](probabilities []T, k int, names []string) ([]Label, error) {
	if names != nil && len(names) != len(probabilities) {
		return nil, errors.Errorf("labels: %d names for %d classes", len(names), len(probabilities))
	}
	if k < 1 || len(probabilities) == 0 {
		return nil, errors.Errorf("labels: the best %d of %d classes, want at least 1", k, len(probabilities))
	}
	all := make([]Label, len(probabilities))
	for i, p := range probabilities {
		all[i] = Label{Index: i, Probability: float64(p)}
		if math.IsNaN(all[i].Probability) {
			return nil, errors.Errorf("labels: the probability of class %d is not a number", i)
		}
		if names != nil {
			all[i].Name = names[i]
		}
	}
	slices.SortStableFunc(all, func(a, b Label) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	return all[:min(k, len(all))], nil
}

// Softmax is the probabilities of a network's scores, which do not add up to 1 by themselves.
func Softmax[T float32 | float64](scores []T) []float64 {
	out := make([]float64, len(scores))
	most := math.Inf(-1)
	for _, s := range scores {
		most = max(most, float64(s))
	}
	sum := 0.0
	for i, s := range scores {
		out[i] = math.Exp(float64(s) - most)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}
