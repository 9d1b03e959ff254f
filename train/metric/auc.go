package metric

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// AUC is the area under the ROC curve: the chance that an example of a class scores higher in that class
// than one of another class, where a tie counts half (Hanley and McNeil 1982). It is exact, and therefore
// keeps all scores: 4 bytes an example and class.
//
// Logits and probabilities rank the examples of one class differently as soon as there are more than two
// classes: compare like with like. With two classes of logits, the difference between the two is ranked, as
// their probability would be.
type AUC struct {
	classes int
	scores  [][]float32 // by class
	labels  []int
}

// Name is "AUC".
func (a *AUC) Name() string { return "AUC" }

// Add takes in a batch. A score that is NaN has no rank and is an error.
func (a *AUC) Add(scores []float32, labels []int) error {
	c, err := classes(scores, labels)
	if err != nil {
		return err
	}
	if c < 2 {
		return errors.Errorf("AUC: scores of %d class, want 2 or more", c)
	}
	if a.classes != 0 && c != a.classes {
		return errors.Errorf("AUC: scores of %d classes after scores of %d", c, a.classes)
	}
	for i, s := range scores {
		if s != s {
			return errors.Errorf("AUC: the score of example %d is NaN", i/c)
		}
	}
	if a.classes == 0 {
		a.classes = c
		a.scores = make([][]float32, c)
	}
	for i, label := range labels {
		row := scores[i*c : (i+1)*c]
		a.labels = append(a.labels, label)
		if c == 2 {
			a.scores[1] = append(a.scores[1], row[1]-row[0])
			continue
		}
		for class, s := range row {
			a.scores[class] = append(a.scores[class], s)
		}
	}
	return nil
}

// Value is the area for class 1 when there are two classes, or else the mean over the classes that have an
// area.
func (a *AUC) Value() float64 {
	if a.classes == 2 {
		return a.Class(1)
	}
	var sum float64
	n := 0
	for class := range a.classes {
		if v := a.Class(class); !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// Class is the area for one class against all others; NaN unless there are examples of both.
func (a *AUC) Class(class int) float64 {
	if class < 0 || class >= a.classes {
		return math.NaN()
	}
	if a.classes == 2 && class == 0 {
		return a.Class(1) // the mirror image of the curve has the same area
	}
	scores := a.scores[class]
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		switch {
		case scores[i] < scores[j]:
			return -1
		case scores[i] > scores[j]:
			return 1
		}
		return 0
	})
	// Over runs of equal scores, from low to high: each positive beats the negatives below it and draws
	// with those of its run. Counted in halves, so that the sum is a whole number.
	var halves, below, positives int
	for lo := 0; lo < len(order); {
		hi, pos := lo, 0
		for ; hi < len(order) && scores[order[hi]] == scores[order[lo]]; hi++ {
			if a.labels[order[hi]] == class {
				pos++
			}
		}
		neg := hi - lo - pos
		halves += pos * (2*below + neg)
		below += neg
		positives += pos
		lo = hi
	}
	if positives == 0 || below == 0 {
		return math.NaN()
	}
	return float64(halves) / 2 / float64(positives) / float64(below)
}

// Reset forgets all batches, and how many classes there were.
func (a *AUC) Reset() { *a = AUC{} }
