package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Reduction says what a loss makes of its terms.
type Reduction uint8

const (
	MeanReduction      Reduction = iota // the mean over all terms; where terms have weights, Σ loss / Σ weight only where the loss says so
	SumReduction                        // the sum of all terms
	NoReduction                         // the terms themselves
	BatchMeanReduction                  // the sum of all terms divided by the size of the first axis
)

func (r Reduction) String() string {
	switch r {
	case MeanReduction:
		return "mean"
	case SumReduction:
		return "sum"
	case NoReduction:
		return "none"
	case BatchMeanReduction:
		return "batch mean"
	}
	return "unknown"
}

func (r Reduction) check() error {
	if r > BatchMeanReduction {
		return errors.Errorf("reduction %d, want MeanReduction, SumReduction, NoReduction or BatchMeanReduction", uint8(r))
	}
	return nil
}

// reduced is the shape of a loss whose terms have shape terms.
func (r Reduction) reduced(terms tensor.Shape) tensor.Shape {
	if r == NoReduction {
		return terms.Clone()
	}
	return tensor.ScalarShape()
}

// floatScratch is the bytes of n elements of a call's float type.
func floatScratch(dt tensor.Dtype, n int) int {
	switch {
	case n == 0:
		return 0
	case dt == tensor.Float32:
		return exec.ScratchSize[float32](n)
	}
	return exec.ScratchSize[float64](n)
}
