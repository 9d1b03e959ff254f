package metric

import (
	"math"

	"github.com/pkg/errors"
)

// Confusion counts which class was taken for which, and gives the figures that follow from it. As a Metric
// it is the accuracy.
type Confusion struct {
	counts [][]int // [true class][predicted class]
}

// NewConfusion is a table without counts.
func NewConfusion(classes int) (*Confusion, error) {
	const most = 1 << 14 // a table of 2 GiB
	if classes < 1 || classes > most {
		return nil, errors.Errorf("confusion matrix of %d classes, want 1 to %d", classes, most)
	}
	c := &Confusion{counts: make([][]int, classes)}
	for i := range c.counts {
		c.counts[i] = make([]int, classes)
	}
	return c, nil
}

// Name is "accuracy".
func (c *Confusion) Name() string { return "accuracy" }

// Add takes in a batch.
func (c *Confusion) Add(scores []float32, labels []int) error {
	n, err := classes(scores, labels)
	if err != nil {
		return err
	}
	if n != len(c.counts) {
		return errors.Errorf("confusion matrix of %d classes: got scores of %d", len(c.counts), n)
	}
	for i, label := range labels {
		c.counts[label][argmax(scores[i*n:(i+1)*n])]++
	}
	return nil
}

// Counts is the table itself, [true class][predicted class].
func (c *Confusion) Counts() [][]int { return c.counts }

// Value is the accuracy: the share of examples on the diagonal.
func (c *Confusion) Value() float64 {
	right, seen := 0, 0
	for i, row := range c.counts {
		right += row[i]
		for _, n := range row {
			seen += n
		}
	}
	return share(right, seen)
}

// Reset forgets all batches.
func (c *Confusion) Reset() {
	for _, row := range c.counts {
		clear(row)
	}
}

// Scores are the figures of one class, or their mean over the classes.
type Scores struct {
	Precision float64 // share of the predictions of the class that are right; 0 when there are none
	Recall    float64 // share of the examples of the class that are found; 0 when there are none
	F1        float64 // harmonic mean of the two; 0 when both are 0
	Support   int     // examples of the class
}

// Class gives the figures of one class; one that does not exist has none.
func (c *Confusion) Class(class int) Scores {
	if class < 0 || class >= len(c.counts) {
		return Scores{}
	}
	predicted, support := 0, 0
	for i, row := range c.counts {
		predicted += row[class]
		support += c.counts[class][i]
	}
	right := c.counts[class][class]
	s := Scores{Support: support}
	if predicted > 0 {
		s.Precision = float64(right) / float64(predicted)
	}
	if support > 0 {
		s.Recall = float64(right) / float64(support)
	}
	if predicted+support > 0 {
		s.F1 = 2 * float64(right) / float64(predicted+support)
	}
	return s
}

// Macro is the plain mean of the figures over all classes.
func (c *Confusion) Macro() Scores {
	return c.mean(func(Scores) float64 { return 1 })
}

// Weighted is the mean of the figures over all classes, weighted by the examples of each.
func (c *Confusion) Weighted() Scores {
	return c.mean(func(s Scores) float64 { return float64(s.Support) })
}

func (c *Confusion) mean(weight func(Scores) float64) Scores {
	var m Scores
	var total float64
	for class := range c.counts {
		s := c.Class(class)
		w := weight(s)
		total += w
		m.Precision += w * s.Precision
		m.Recall += w * s.Recall
		m.F1 += w * s.F1
		m.Support += s.Support
	}
	if total == 0 {
		return Scores{Precision: math.NaN(), Recall: math.NaN(), F1: math.NaN()}
	}
	m.Precision /= total
	m.Recall /= total
	m.F1 /= total
	return m
}
