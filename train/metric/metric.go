// Package metric measures classifiers over many batches.
//
// Scores are [N, C], row by row: logits or probabilities, the larger the likelier. Labels are [N], class
// indices from 0. What is kept grows with the number of classes, not of examples, but for AUC.
package metric

import (
	"math"
	"strconv"

	"github.com/pkg/errors"
)

// Metric gathers batches and sums them up in one number.
type Metric interface {
	Name() string
	Add(scores []float32, labels []int) error
	// Value is the figure over all batches since the last Reset; NaN when that was none.
	Value() float64
	Reset()
}

// classes is C of a batch of scores [N, C], checked against the labels [N].
func classes(scores []float32, labels []int) (int, error) {
	n := len(labels)
	if n == 0 || len(scores) == 0 || len(scores)%n != 0 {
		return 0, errors.Errorf("metric: %d scores for %d labels, want the same number for each, and at least one", len(scores), n)
	}
	c := len(scores) / n
	for i, label := range labels {
		if label < 0 || label >= c {
			return 0, errors.Errorf("metric: label %d of example %d, want 0 to %d", label, i, c-1)
		}
	}
	return c, nil
}

// rank is the number of classes that come before the label: those of a larger score, and of an equal score
// with a smaller index. NaN comes before all, so that a network gone wrong is not taken for right.
func rank(scores []float32, label int) int {
	own := scores[label]
	before := 0
	for c, s := range scores {
		if c != label && !(s < own || s == own && c > label) {
			before++
		}
	}
	return before
}

// argmax is the first class of the largest score; the first NaN, if there is one.
func argmax(scores []float32) int {
	best := 0
	for c, s := range scores {
		if s != s {
			return c
		}
		if s > scores[best] {
			best = c
		}
	}
	return best
}

// TopK is the share of examples whose label is among the K best scores.
type TopK struct {
	K           int // 0 means 1: accuracy
	right, seen int
}

// Name is "accuracy" or "top-K".
func (t *TopK) Name() string {
	if t.k() == 1 {
		return "accuracy"
	}
	return "top-" + strconv.Itoa(t.K)
}

func (t *TopK) k() int { return max(t.K, 1) }

// Add takes in a batch.
func (t *TopK) Add(scores []float32, labels []int) error {
	c, err := classes(scores, labels)
	if err != nil {
		return err
	}
	for i, label := range labels {
		if rank(scores[i*c:(i+1)*c], label) < t.k() {
			t.right++
		}
	}
	t.seen += len(labels)
	return nil
}

// Value is the share, 0 to 1.
func (t *TopK) Value() float64 { return share(t.right, t.seen) }

// Reset forgets all batches.
func (t *TopK) Reset() { t.right, t.seen = 0, 0 }

// Mean averages a number that is given a batch at a time, such as the loss.
type Mean struct {
	sum  float64
	seen int
}

// Add takes in the mean over n examples.
func (m *Mean) Add(mean float64, n int) {
	m.sum += mean * float64(n)
	m.seen += n
}

// Value is the mean over all examples; NaN when there were none.
func (m *Mean) Value() float64 {
	if m.seen == 0 {
		return math.NaN()
	}
	return m.sum / float64(m.seen)
}

// Reset forgets all batches.
func (m *Mean) Reset() { *m = Mean{} }

func share(part, whole int) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
