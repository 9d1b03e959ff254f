package bench

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/zoo"
)

// modelCase is a network that is measured: batch sizes as docs/bench and its peers use them.
type modelCase struct {
	name  string
	zoo   string // its name in the zoo, where that is another
	train int
	infer []int
	aux   bool
}

var modelCases = []modelCase{
	{"resnet20", "cifar_resnet20", 128, []int{1, 128}, false},
	{"resnet18", "", 8, []int{1, 32}, false},
	{"resnet50", "", 8, []int{1, 16}, false},
	{"googlenet", "", 8, []int{1, 32}, true},
	{"inception_v3", "", 4, []int{1, 16}, true},
	{"xception", "", 4, []int{1, 16}, false},
	{"dcgan", "", 64, nil, false},          // the pair: one step of each
	{"resnet20_stock", "", 16, nil, false}, // of Gorgonia's own ops, on its tape machine
}

func (c modelCase) network() string {
	if c.zoo != "" {
		return c.zoo
	}
	return c.name
}

// ModelRow is one measurement of a network.
type ModelRow struct {
	Name     string  `json:"name"`
	Mode     string  `json:"mode"` // train or infer
	Batch    int     `json:"batch"`
	Pictures float64 `json:"pictures_per_second"`
	Ms       float64 `json:"ms"`        // median of a step or a batch
	CPU      float64 `json:"cpu_ms"`    // processor time of a step or a batch, of all threads
	Gflops   float64 `json:"gflops"`    // of direct convolutions and products, whatever the roads really do
	Planned  float64 `json:"plan_mib"`  // the tape's memory, known before the first run
	Leaves   float64 `json:"vars_mib"`  // inputs and variables
	Slots    float64 `json:"slots_mib"` // what the optimiser keeps
	Resident float64 `json:"rss_mib"`   // largest resident size of the process so far; 0 where the system does not tell
	Compile  float64 `json:"compile_ms"`
	Peak     float64 `json:"peak_gflops"` // what the processor could do; 0 on the generic road
	Clean    int     `json:"clean"`
	All      int     `json:"all"`
}

// ModelOptions choose what Models measures; zero values mean everything.
type ModelOptions struct {
	Only    string // network
	Mode    string // train or infer
	Batch   int    // instead of the usual ones
	Profile io.Writer
	Options graph.Options // passes to leave out
}

// Models measures training steps and inference of the zoo's networks and hands each row to each. Measure each
// network in a process of its own where resident sizes matter.
func Models(s Sampling, o ModelOptions, each func(ModelRow) error) error {
	if o.Mode != "" && o.Mode != "train" && o.Mode != "infer" {
		return errors.Errorf("bench: mode %q, want train or infer", o.Mode)
	}
	found, peak := false, Peak()
	measured := func(r ModelRow, err error) error {
		if err != nil {
			return err
		}
		r.Peak = peak
		return each(r)
	}
	for _, c := range modelCases {
		if o.Only != "" && o.Only != c.name {
			continue
		}
		found = true
		if o.Mode != "infer" {
			if err := measured(c.measureTrain(s, pick(o.Batch, c.train), o)); err != nil {
				return err
			}
		}
		if o.Mode == "train" {
			continue
		}
		for _, batch := range c.infer {
			if o.Batch > 0 && batch != c.infer[0] {
				break
			}
			if err := measured(c.measureInfer(s, pick(o.Batch, batch), o)); err != nil {
				return err
			}
		}
	}
	if !found {
		var names []string
		for _, c := range modelCases {
			names = append(names, c.name)
		}
		return errors.Errorf("bench: no network %q; there are %s", o.Only, strings.Join(names, ", "))
	}
	return nil
}

func pick(asked, usual int) int {
	if asked > 0 {
		return asked
	}
	return usual
}

func (c modelCase) measureTrain(s Sampling, batch int, o ModelOptions) (ModelRow, error) {
	switch c.name {
	case "dcgan":
		return measureDCGAN(s, batch, o)
	case "resnet20_stock":
		return measureStock(s, batch)
	}
	m, err := zoo.New(c.network(), zoo.Config{Aux: c.aux})
	if err != nil {
		return ModelRow{}, err
	}
	r := ModelRow{Name: c.name, Mode: "train", Batch: batch}
	b, err := m.Build(graph.Train, batch, ops.NewRNG(1))
	if err != nil {
		return r, err
	}
	labels := b.Graph.Labels("labels", batch)
	loss, err := m.Loss(b.Graph, b.Output, labels)
	if err != nil {
		return r, err
	}
	vars, leaves := b.Graph.Trainable()
	grads, err := graph.Differentiate(loss, leaves...)
	if err != nil {
		return r, err
	}
	var params []optim.Param
	for _, v := range vars {
		params = append(params, optim.Param{Name: v.Name, Value: v.Value})
		r.Slots += float64(v.Value.Shape().TotalSize()) * 4 / (1 << 20)
	}
	state, err := optim.New(optim.Config{Optimizer: optim.SGD{Momentum: 0.9}}, params)
	if err != nil {
		return r, err
	}
	opts := o.Options
	opts.Assign, opts.Profile = b.Graph.Assigns(), o.Profile != nil
	for i, n := range grads { // parameters move as their gradients come
		opts.Use = append(opts.Use, graph.Use{Node: n, Writes: leaves[i], Func: func(v gorgonia.Value) error {
			state.Params()[i].Grad = v.(*tensor.Dense)
			return state.Update(i, 0.01)
		}})
	}
	compiling := time.Now()
	tape, err := graph.Compile(gorgonia.Nodes{loss}, opts)
	if err != nil {
		return r, err
	}
	r.Compile = ms(time.Since(compiling))
	y := tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))
	for i := range y.Ints() {
		y.Ints()[i] = i % m.Config.Classes
	}
	for n, v := range map[*graph.Node]*tensor.Dense{b.Input: pictures(batch, m.Input), labels: y} {
		if err := gorgonia.Let(n, v); err != nil {
			return r, err
		}
	}
	t, err := s.measure(tape.RunAll)
	if err != nil {
		return r, err
	}
	r.fill(t, tape.Plan(), 3*b.Graph.Total().MACs)
	return r, writeProfile(o.Profile, tape)
}

func (c modelCase) measureInfer(s Sampling, batch int, o ModelOptions) (ModelRow, error) {
	m, err := zoo.New(c.network(), zoo.Config{})
	if err != nil {
		return ModelRow{}, err
	}
	r := ModelRow{Name: c.name, Mode: "infer", Batch: batch}
	b, err := m.Build(graph.Eval, batch, nil)
	if err != nil {
		return r, err
	}
	opts := o.Options
	opts.Profile = o.Profile != nil
	_, opts.Constant = b.Graph.Variables()
	compiling := time.Now()
	tape, err := graph.Compile(gorgonia.Nodes{b.Output}, opts)
	if err != nil {
		return r, err
	}
	r.Compile = ms(time.Since(compiling))
	if err := gorgonia.Let(b.Input, pictures(batch, m.Input)); err != nil {
		return r, err
	}
	t, err := s.measure(tape.RunAll)
	if err != nil {
		return r, err
	}
	r.fill(t, tape.Plan(), b.Graph.Total().MACs)
	return r, writeProfile(o.Profile, tape)
}

func (r *ModelRow) fill(t Timing, p graph.Plan, macs int64) {
	sec := t.Median.Seconds()
	r.Pictures, r.Ms, r.CPU = float64(r.Batch)/sec, ms(t.Median), ms(t.CPU)
	r.Gflops = 2 * float64(macs) / sec / 1e9
	r.Planned, r.Leaves = float64(p.Arena)/(1<<20), float64(p.Leaves)/(1<<20)
	r.Resident = float64(peakResident()) / (1 << 20)
	r.Clean, r.All = t.Clean, t.All
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

func writeProfile(w io.Writer, t *graph.Tape) error {
	if w == nil {
		return nil
	}
	if err := graph.WriteProfile(w, graph.ByOp(t.Profile())); err != nil {
		return err
	}
	return graph.WriteProfile(w, t.Profile())
}

func pictures(batch int, shape []int) *tensor.Dense {
	s := append([]int{batch}, shape...)
	return tensor.New(tensor.WithShape(s...), tensor.WithBacking(numbers(tensor.Shape(s).TotalSize())))
}

// peakResident is the largest resident size of the process so far, in bytes.
func peakResident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmHWM:" {
			var kib int64
			for _, d := range f[1] {
				kib = 10*kib + int64(d-'0')
			}
			return kib << 10
		}
	}
	return 0
}
