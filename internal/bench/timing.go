// Package bench measures kernels and networks the way docs/bench compares them with other libraries.
package bench

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sampling says how long to measure. The zero value is what docs/bench uses.
type Sampling struct {
	MinSample time.Duration // length of one sample; 0 means 150 ms
	Samples   int           // clean ones to collect; 0 means 7
	Limit     time.Duration // of the whole measurement; 0 means 15 s
}

// Timing is what was measured of one call.
type Timing struct {
	Median, Best time.Duration
	CPU, BestCPU time.Duration // processor time of all threads, median and least; 0 where the system does not tell
	Clean, All   int           // samples that other processes did not disturb, and all
}

// disturbed is the share of the machine that other processes may use during a clean sample.
const disturbed = 0.06

// Measure times f: after two calls to warm up, samples of many calls each, of which those are left out during
// which other processes used the machine (where the system tells).
func (s Sampling) Measure(f func()) Timing { return s.Alternate(f)[0] }

// Alternate measures several functions, a sample of each in turn, so that they meet the same moments of the
// machine and may be compared.
func (s Sampling) Alternate(fs ...func()) []Timing {
	if s.MinSample == 0 {
		s.MinSample = 150 * time.Millisecond
	}
	if s.Samples == 0 {
		s.Samples = 7
	}
	if s.Limit == 0 {
		s.Limit = 15 * time.Second
	}
	runs := make([]samples, len(fs))
	for i, f := range fs {
		f()
		begin := time.Now()
		f()
		runs[i] = samples{f: f, calls: int(s.MinSample/max(time.Since(begin), 1)) + 1}
	}
	clean, all := 0, 0 // of the function that has fewest, and of each
	for begin := time.Now(); clean < s.Samples && (time.Since(begin) < s.Limit || all < 3); all++ {
		clean = all + 1
		for i := range runs {
			runs[i].take()
			clean = min(clean, len(runs[i].clean))
		}
	}
	timings := make([]Timing, len(fs))
	for i := range runs {
		timings[i] = runs[i].timing()
	}
	return timings
}

// samples is what was measured of one function.
type samples struct {
	f               func()
	calls           int // a sample
	clean, all, cpu []time.Duration
}

func (r *samples) take() {
	busy, own := machineBusy(), ownBusy()
	start := time.Now()
	for range r.calls {
		r.f()
	}
	took := time.Since(start)
	own = ownBusy() - own
	others := (machineBusy() - busy) - own
	d := took / time.Duration(r.calls)
	r.all = append(r.all, d)
	r.cpu = append(r.cpu, own/time.Duration(r.calls))
	if others.Seconds() <= disturbed*took.Seconds()*float64(cores()) {
		r.clean = append(r.clean, d)
	} else {
		time.Sleep(100 * time.Millisecond)
	}
}

func (r *samples) timing() Timing {
	t := Timing{Clean: len(r.clean), All: len(r.all), Best: slices.Min(r.all), BestCPU: slices.Min(r.cpu)}
	clean := r.clean
	if len(clean) < 2 {
		clean = r.all
	}
	t.Median, t.CPU = median(clean), median(r.cpu)
	return t
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// measure is Measure of what can fail.
func (s Sampling) measure(f func() error) (Timing, error) {
	var failed error
	t := s.Measure(func() {
		if err := f(); err != nil {
			failed = err
		}
	})
	return t, failed
}

// machineBusy is the processor time that all processes have used; 0 where the system does not tell.
func machineBusy() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	var ticks int64
	for i, f := range fields {
		if i == 0 || i == 4 || i == 5 || i > 8 { // the label, idle, waiting for disks, guests (counted already)
			continue
		}
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
