package data

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"

	"github.com/pkg/errors"
)

// Labeler is a Dataset that knows labels without reading pictures.
type Labeler interface{ Label(i int) int }

// Labels is the label of every example. It is quick for the data sets of this package; of another it reads
// all pictures.
func Labels(ds Dataset) ([]int, error) {
	labels := make([]int, ds.Len())
	for i := range labels {
		var err error
		if labels[i], err = labelOf(ds, i); err != nil {
			return nil, errors.WithMessage(err, Name(ds, i))
		}
	}
	return labels, nil
}

func labelOf(ds Dataset, i int) (int, error) {
	if l, ok := ds.(Labeler); ok {
		return l.Label(i), nil
	}
	switch d := ds.(type) {
	case *with:
		return labelOf(d.Dataset, i)
	case *subset:
		return labelOf(d.ds, d.indices[i])
	}
	ex, err := ds.Get(i)
	return ex.Label, err
}

// Balance is the weights with which every class is drawn equally often: 1 over the number of examples of the
// class. Examples without a class, of label −1, are not drawn.
func Balance(ds Dataset) ([]float64, error) {
	labels, err := Labels(ds)
	if err != nil {
		return nil, errors.WithMessage(err, "balance")
	}
	count := make(map[int]int)
	for _, l := range labels {
		count[l]++
	}
	weights := make([]float64, len(labels))
	for i, l := range labels {
		if l >= 0 {
			weights[i] = 1 / float64(count[l])
		}
	}
	return weights, nil
}

// SplitClasses is Split class by class: second gets the share of each, rounded to a whole number.
func SplitClasses(ds Dataset, share float64, seed uint64) (first, second Dataset, err error) {
	if !(share >= 0 && share <= 1) {
		return nil, nil, errors.Errorf("split: share %v, want 0 to 1", share)
	}
	return splitEach(ds, seed, func(_, count int) (int, error) { return int(share*float64(count) + 0.5), nil })
}

// SplitCount is Split class by class: second gets n examples of each. A class that has fewer is an error.
func SplitCount(ds Dataset, n int, seed uint64) (first, second Dataset, err error) {
	if n < 0 {
		return nil, nil, errors.Errorf("split: %d examples of each class, want 0 or more", n)
	}
	return splitEach(ds, seed, func(class, count int) (int, error) {
		if count < n {
			return 0, errors.Errorf("split: class %s has %d examples, want at least %d", className(ds, class), count, n)
		}
		return n, nil
	})
}

func className(ds Dataset, class int) string {
	if names := Classes(ds); class >= 0 && class < len(names) {
		return strconv.Quote(names[class])
	}
	return strconv.Itoa(class)
}

// splitEach deals out as many examples of each class to second as take says.
func splitEach(ds Dataset, seed uint64, take func(class, count int) (int, error)) (first, second Dataset, err error) {
	labels, err := Labels(ds)
	if err != nil {
		return nil, nil, errors.WithMessage(err, "split")
	}
	count, left := make(map[int]int), make(map[int]int)
	for _, l := range labels {
		count[l]++
	}
	for _, l := range slices.Sorted(maps.Keys(count)) {
		if left[l], err = take(l, count[l]); err != nil {
			return nil, nil, err
		}
	}
	var a, b []int
	for _, i := range permutation(nil, ds.Len(), seed, 0) {
		if l := labels[i]; left[l] > 0 {
			left[l]--
			b = append(b, i)
		} else {
			a = append(a, i)
		}
	}
	sort.Ints(a)
	sort.Ints(b)
	return &subset{ds, a}, &subset{ds, b}, nil
}

// cumulate checks Weights and sums them up.
func cumulate(cfg LoaderConfig, ds Dataset) ([]float64, error) {
	if cfg.Weights == nil {
		return nil, nil
	}
	if !cfg.Shuffle {
		return nil, errors.New("loader: Weights need Shuffle")
	}
	if len(cfg.Weights) != ds.Len() {
		return nil, errors.Errorf("loader: %d weights for %d examples", len(cfg.Weights), ds.Len())
	}
	sums := make([]float64, len(cfg.Weights))
	var sum float64
	for i, w := range cfg.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return nil, errors.Errorf("loader: weight %v of example %d, want a number of 0 or more", w, i)
		}
		sum += w
		sums[i] = sum
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return nil, errors.Errorf("loader: the weights sum to %v, want a number above 0", sum)
	}
	return sums, nil
}

// drawn is the order of an epoch that is drawn with replacement; sums are the running sums of the weights.
func drawn(order []int, sums []float64, seed, epoch uint64) []int {
	order = identity(order, len(sums))
	src := rand.NewPCG(seed, mix(epoch))
	total := sums[len(sums)-1]
	for k := range order {
		at := float64(src.Uint64()>>11) * 0x1p-53 * total
		// The first sum above at: an example of weight 0 is never drawn, as its sum is that of the one before.
		i := sort.Search(len(sums), func(i int) bool { return sums[i] > at })
		order[k] = min(i, len(sums)-1)
	}
	return order
}
