package graph

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// check looks for NaN and infinity in what an instruction has just computed.
func (i *instr) check() error {
	a := i.out.array
	if i.out.kind == dynamic {
		var err error
		if a, err = exec.FromValue(i.out.host); err != nil {
			return errors.Wrapf(err, "tape: %s", i.where())
		}
	}
	if bad := nonFinite(&a); bad != "" {
		return errors.Errorf("tape: %s first appears in the result of %s (%v%v)", bad, i.where(), a.Dtype, a.Shape)
	}
	return nil
}

// nonFinite is "NaN", "+Inf", "-Inf", or empty.
func nonFinite(a *exec.Array) string {
	switch a.Dtype {
	case tensor.Float32:
		return findNonFinite(exec.Data[float32](a))
	case tensor.Float64:
		return findNonFinite(exec.Data[float64](a))
	}
	return ""
}

func findNonFinite[T exec.Float](x []T) string {
	for _, v := range x {
		if v-v == 0 {
			continue
		}
		switch f := float64(v); {
		case math.IsNaN(f):
			return "NaN"
		case f > 0:
			return "+Inf"
		default:
			return "-Inf"
		}
	}
	return ""
}
