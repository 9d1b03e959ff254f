package ops

import (
	"fmt"
	"strconv"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// divisor is what the sum over all positions is divided by, labels that are ignored or weighted aside.
func (r crossEntropy) divisor(positions, batch int) float64 {
	switch r.reduction {
	case MeanReduction:
		return float64(positions)
	case BatchMeanReduction:
		return float64(batch)
	}
	return 1
}

// classRows is the input of cross-entropy with one row of classes a position.
type classRows[T exec.Float] struct {
	rows, cols int
	x          []T     // [rows, cols] logits
	labels     []int   // [rows], −1 for one that is ignored; nil where target says more
	weight     []T     // [rows] of each label; nil for ones
	target     []T     // [rows, cols] weighted distributions; nil where labels do
	divisor    float64 // of the sum
}

// rowScratch is the scratch memory, in bytes, that rowsOf takes.
func (r crossEntropy) rowScratch(c *exec.Call) int {
	x, target := &c.In[0], &c.In[1]
	all, positions := floatScratch(x.Dtype, x.Len()), x.Len()/x.Shape[1]
	weighted := len(c.In) > 2
	n := 0
	if !byRows(x) {
		n += all
	}
	switch {
	case r.soft && byRows(target) && !weighted && r.smoothing == 0:
	case r.soft, weighted && r.smoothing != 0:
		n += all
	default:
		if weighted {
			n += floatScratch(x.Dtype, positions)
		}
		if r.ignores {
			n += exec.ScratchSize[int](positions)
		}
	}
	return n
}

// rowsOf brings the inputs of a call into rows.
func rowsOf[T exec.Float](r crossEntropy, c *exec.Call, weights []T) classRows[T] {
	cols := c.In[0].Shape[1]
	q := classRows[T]{rows: c.In[0].Len() / cols, cols: cols}
	if byRows(&c.In[0]) {
		q.x = exec.Data[T](&c.In[0])
	} else {
		q.x = toRows(&c.In[0], exec.Scratch[T](c, q.rows*cols))
	}
	q.divisor = r.divisor(q.rows, c.In[0].Shape[0])
	switch {
	case r.soft && byRows(&c.In[1]) && weights == nil && r.smoothing == 0:
		q.target = exec.Data[T](&c.In[1])
	case r.soft:
		q.target = toRows(&c.In[1], exec.Scratch[T](c, q.rows*cols))
		smoothRows(q.target, cols, T(r.smoothing), weights)
	case weights != nil && r.smoothing != 0:
		labels := exec.Data[int](&c.In[1])
		q.target = exec.Scratch[T](c, q.rows*cols)
		clear(q.target)
		for i, label := range labels {
			if !r.ignores || label != r.ignored {
				row := q.target[i*cols : (i+1)*cols]
				row[label] = 1
				smoothRows(row, cols, T(r.smoothing), weights)
			}
		}
		q.divisor = labelDivisor(r, labels, weights, q.divisor)
	default:
		labels := exec.Data[int](&c.In[1])
		q.divisor = labelDivisor(r, labels, weights, q.divisor)
		q.labels = labels
		if r.ignores {
			q.labels = exec.Scratch[int](c, q.rows)
			for i, label := range labels {
				if label == r.ignored {
					label = -1
				}
				q.labels[i] = label
			}
		}
		if weights != nil {
			q.weight = exec.Scratch[T](c, q.rows)
			for i, label := range q.labels {
				q.weight[i] = 0
				if label >= 0 {
					q.weight[i] = weights[label]
				}
			}
		}
	}
	return q
}

// gradients sets dloss to the gradient for each row's loss, weight included.
func (q *classRows[T]) gradients(r crossEntropy, dout, dloss []T) []T {
	if r.reduction == NoReduction {
		copy(dloss, dout)
	} else {
		vec.Fill(dloss, T(float64(dout[0])/q.divisor))
	}
	if q.weight != nil {
		vec.Mul(dloss, dloss, q.weight)
	}
	return dloss
}

// labelDivisor is the weight of the labels that count, where a mean is asked for.
func labelDivisor[T exec.Float](r crossEntropy, labels []int, weights []T, otherwise float64) float64 {
	if r.reduction != MeanReduction {
		return otherwise
	}
	total := 0.0
	for _, label := range labels {
		switch {
		case r.ignores && label == r.ignored:
		case weights != nil:
			total += float64(weights[label])
		default:
			total++
		}
	}
	return total
}

// smoothRows sets q to w·((1−ε)·q + ε/C), row by row.
func smoothRows[T exec.Float](q []T, cols int, epsilon T, weights []T) {
	for i := 0; i < len(q); i += cols {
		row := q[i : i+cols]
		for k, v := range row {
			if epsilon != 0 {
				v = (1-epsilon)*v + epsilon/T(cols)
			}
			if weights != nil {
				v *= weights[k]
			}
			row[k] = v
		}
	}
}

// checkLabels finds labels that name no class.
func (r crossEntropy) checkLabels(c *exec.Call) error {
	if r.soft {
		return nil
	}
	return checkLabels(&c.In[1], c.In[0].Shape[1], r.ignores, r.ignored)
}

// checkLabels finds labels outside 0 to classes−1, but for the one that is ignored.
func checkLabels(labels *exec.Array, classes int, ignores bool, ignored int) error {
	for i, label := range exec.Data[int](labels) {
		if (label < 0 || label >= classes) && !(ignores && label == ignored) {
			return errors.Errorf("label %d of row %s is outside the %d classes (0 to %d)", label, position(labels.Shape, i), classes, classes-1)
		}
	}
	return nil
}

// position is where element i of an array lies, as text.
func position(shape tensor.Shape, i int) string {
	if len(shape) == 1 {
		return strconv.Itoa(i)
	}
	at := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		at[a], i = i%shape[a], i/shape[a]
	}
	return fmt.Sprint(at)
}

// weightsOf is the class weights of a call, nil if it has none.
func weightsOf[T exec.Float](c *exec.Call, input int) []T {
	if len(c.In) <= input {
		return nil
	}
	return exec.Data[T](&c.In[input])
}

// byRows tells whether the classes (axis 1) of a position lie side by side.
func byRows(a *exec.Array) bool {
	return a.Order == exec.ChannelsLast || a.Len() == a.Shape[0]*a.Shape[1]
}

// toRows copies a into dst so that the classes of a position lie side by side.
func toRows[T exec.Float](a *exec.Array, dst []T) []T {
	src := exec.Data[T](a)
	if byRows(a) {
		copy(dst, src)
	} else {
		n, classes := a.Shape[0], a.Shape[1]
		layout.ToChannelsLast(dst, src, n, classes, len(src)/(n*classes))
	}
	return dst
}

// fromRows copies rows of classes to a, if they are not there already.
func fromRows[T exec.Float](a *exec.Array, rows []T) {
	dst := exec.Data[T](a)
	switch {
	case &dst[0] == &rows[0]:
	case byRows(a):
		copy(dst, rows)
	default:
		n, classes := a.Shape[0], a.Shape[1]
		layout.ToChannelsFirst(dst, rows, n, classes, len(rows)/(n*classes))
	}
}
