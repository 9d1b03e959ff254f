package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// finding is a set of kinds of numbers that no calculation should meet.
type finding uint8

const (
	anyNaN finding = 1 << iota
	plusInf
	minusInf
	anyInf = plusInf | minusInf
)

func (f finding) String() string {
	switch {
	case f&anyNaN != 0:
		return "NaN"
	case f&plusInf != 0:
		return "+Inf"
	}
	return "-Inf"
}

// check looks for such numbers in what an instruction has just computed.
func (i *instr) check(watch finding) error {
	for _, v := range i.results() {
		a := v.array
		if v.kind == dynamic {
			var err error
			if a, err = exec.FromValue(v.host); err != nil {
				return errors.Wrapf(err, "tape: %s", i.where())
			}
		}
		if bad := find(&a, watch); bad != 0 {
			return errors.Errorf("tape: %v first appears in the result of %s at %s (%v%v)", bad, i.name(), v.node.Name(), a.Dtype, a.Shape)
		}
	}
	return nil
}

// find is the kind of the first number of those to watch for, 0 if there is none.
func find(a *exec.Array, watch finding) finding {
	switch a.Dtype {
	case tensor.Float32:
		return findFloat[float32](a, watch)
	case tensor.Float64:
		return findFloat[float64](a, watch)
	}
	return 0
}

func findFloat[T exec.Float](a *exec.Array, watch finding) finding {
	x := exec.Data[T](a)
	if a.Pitch == 0 {
		return firstOf(x, watch)
	}
	for at := 0; at < len(x); at += a.Pitch {
		if bad := firstOf(x[at:at+a.Shape[1]], watch); bad != 0 {
			return bad
		}
	}
	return 0
}

func firstOf[T exec.Float](x []T, watch finding) finding {
	for _, v := range x {
		if v-v == 0 {
			continue
		}
		kind := minusInf
		switch {
		case v != v:
			kind = anyNaN
		case v > 0:
			kind = plusInf
		}
		if kind&watch != 0 {
			return kind
		}
	}
	return 0
}
