package metric

import (
	"fmt"
	"math"

	"github.com/pkg/errors"
)

// InceptionScore is exp(E[KL(p(y|x) ‖ p(y))]) over generated pictures (Salimans et al. 2016, section 4), as mean and
// standard deviation over equal splits in the order in which they came; 0 means 10 splits. It is between 1 and the
// number of classes. The pictures must come in no particular order: a split of one class alone scores low.
func InceptionScore(fake *Stats, splits int) (Result, error) {
	const name = "inception score"
	if err := fake.check(); err != nil {
		return Result{}, errors.WithMessage(err, name)
	}
	if splits == 0 {
		splits = 10
	}
	if fake.Probs == nil {
		return Result{}, errors.Errorf("%s: there are no class probabilities from %s", name, fake.Network)
	}
	if splits < 1 || splits > fake.N {
		return Result{}, errors.Errorf("%s: %d splits of %d pictures", name, splits, fake.N)
	}
	scores := make([]float64, splits)
	for i := range scores {
		lo, hi := i*fake.N/splits, (i+1)*fake.N/splits
		scores[i] = score(fake.Probs[lo*fake.Classes:hi*fake.Classes], fake.Classes)
	}
	r := Result{Name: name, Network: fake.Network, Generated: fake.N, Parts: fmt.Sprintf("%d splits", splits)}
	r.Value, r.Deviation = meanAndDeviation(scores)
	return r, nil
}

func score(p []float32, classes int) float64 {
	n := float64(len(p) / classes)
	marginal := make([]float64, classes)
	for i, v := range p {
		marginal[i%classes] += float64(v) / n
	}
	divergence := 0.0
	for i, v := range p {
		if v > 0 { // 0·log 0 = 0
			divergence += float64(v) * math.Log(float64(v)/marginal[i%classes]) / n
		}
	}
	return math.Exp(divergence)
}
