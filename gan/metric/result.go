package metric

import (
	"fmt"

	"github.com/pkg/errors"
)

// Result is a figure with all that must be equal for another to be compared with it.
type Result struct {
	Name      string
	Value     float64
	Deviation float64 // standard deviation over subsets or splits; 0 where Parts is
	Parts     string  // what it was averaged over, such as "10 splits"; "" if there was but one
	Network   string
	Real      int // pictures; 0 for figures of generated ones alone
	Generated int
}

// String is such as "KID 0.00213 ± 0.00042 over 100 subsets of 1000 (10000 real, 10000 generated; NETWORK)".
func (r Result) String() string {
	s := fmt.Sprintf("%s %.5g", r.Name, r.Value)
	if r.Parts != "" {
		s += fmt.Sprintf(" ± %.2g over %s", r.Deviation, r.Parts)
	}
	if r.Real > 0 {
		return s + fmt.Sprintf(" (%d real, %d generated; %s)", r.Real, r.Generated, r.Network)
	}
	return s + fmt.Sprintf(" (%d generated; %s)", r.Generated, r.Network)
}

func result(name string, real, fake *Stats) Result {
	return Result{Name: name, Network: real.Network, Real: real.N, Generated: fake.N}
}

// compatible checks two sets of statistics against each other.
func compatible(name string, real, fake *Stats) error {
	for _, s := range []*Stats{real, fake} {
		if err := s.check(); err != nil {
			return errors.WithMessage(err, name)
		}
	}
	if real.Network != fake.Network {
		return errors.Errorf("%s: real pictures went through %q, generated ones through %q: the figures would mean nothing", name, real.Network, fake.Network)
	}
	if real.D != fake.D {
		return errors.Errorf("%s: %d features of real pictures, %d of generated ones", name, real.D, fake.D)
	}
	return nil
}

// withFeatures checks that both sets have the features themselves.
func withFeatures(name string, real, fake *Stats) error {
	if err := compatible(name, real, fake); err != nil {
		return err
	}
	if real.Features == nil || fake.Features == nil {
		return errors.Errorf("%s needs the features of all pictures, real: %v, generated: %v (collect without MeanOnly)", name, real.Features != nil, fake.Features != nil)
	}
	return nil
}

// check says what is wrong with statistics, whoever made them.
func (s *Stats) check() error {
	if s == nil {
		return errors.New("no statistics")
	}
	if s.N < 2 || s.D < 1 || len(s.Mean) != s.D || len(s.Cov)/s.D != s.D || len(s.Cov)%s.D != 0 {
		return errors.Errorf("statistics of %d pictures with %d features, mean of %d, covariance of %d numbers", s.N, s.D, len(s.Mean), len(s.Cov))
	}
	for i, v := range s.Mean {
		if !finite(v) {
			return errors.Errorf("mean of feature %d is %v", i, v)
		}
	}
	for i := range s.D {
		if s.Cov[i*s.D+i] < 0 {
			return errors.Errorf("variance of feature %d is %v", i, s.Cov[i*s.D+i])
		}
		for j := range i + 1 {
			if v := s.Cov[i*s.D+j]; !finite(v) || v != s.Cov[j*s.D+i] {
				return errors.Errorf("covariance of features %d and %d is %v and %v", i, j, v, s.Cov[j*s.D+i])
			}
		}
	}
	if s.Features != nil && (len(s.Features)/s.D != s.N || len(s.Features)%s.D != 0) {
		return errors.Errorf("%d features for %d pictures, want %d for each", len(s.Features), s.N, s.D)
	}
	if s.Classes < 0 || (s.Probs == nil) != (s.Classes == 0) || s.Classes > 0 && (len(s.Probs)/s.Classes != s.N || len(s.Probs)%s.Classes != 0) {
		return errors.Errorf("%d probabilities for %d pictures and %d classes", len(s.Probs), s.N, s.Classes)
	}
	return nil
}

func finite(v float64) bool { return v-v == 0 }
