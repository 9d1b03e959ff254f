package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// maxRank bounds the axes of an operand, so that attributes can be compared and loops need no memory.
const maxRank = 8

// ints is a list of numbers, one an axis, that can be compared: rules hold it.
type ints struct {
	n int
	v [maxRank]int
}

func intsOf(s []int) ints {
	l := ints{n: len(s)}
	copy(l.v[:], s)
	return l
}

func (l *ints) slice() []int { return l.v[:l.n] }

func checkRank(s tensor.Shape) error {
	if len(s) > maxRank {
		return errors.Errorf("shape %v has %d axes, want at most %d", s, len(s), maxRank)
	}
	return nil
}

// axisOf is the axis that a user named; negative numbers count from the last one, which is -1.
func axisOf(axis, rank int) (int, error) {
	a := axis
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= rank {
		return 0, errors.Errorf("axis %d of an operand with %d axes: want -%d to %d", axis, rank, rank, rank-1)
	}
	return a, nil
}

// axisSet has bit k set for axis k.
type axisSet uint16

func (s axisSet) has(axis int) bool { return s>>axis&1 != 0 }

// axesOf is the set of the axes that a user named.
func axesOf(axes []int, rank int) (axisSet, error) {
	var set axisSet
	for _, axis := range axes {
		a, err := axisOf(axis, rank)
		if err != nil {
			return 0, err
		}
		if set.has(a) {
			return 0, errors.Errorf("axis %d is named twice in %v", axis, axes)
		}
		set |= 1 << a
	}
	return set, nil
}

func allAxes(rank int) axisSet { return 1<<rank - 1 }

// sameDtype gives a result the type of the first input: for rules that move elements of any type.
type sameDtype struct{}

func (sameDtype) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	for i, dt := range in {
		if dt != in[0] {
			return dt, errors.Errorf("input %d is of type %v, input 0 of %v: want equal types", i, dt, in[0])
		}
	}
	return in[0], nil
}
