package train

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/metric"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Config says how Fit trains. Epochs, Optimizer and Schedule must be set; the rest has useful zero values.
type Config struct {
	Epochs    int
	Batch     int  // examples a step; 0 means 32
	Loss      Loss // nil means CrossEntropy
	Optimizer optim.Optimizer
	Schedule  schedule.Schedule // learning rate

	Updates optim.Config // parameter groups, clipping, accumulation; its Optimizer is the one above
	EMA     EMA          // average of the weights; the zero value keeps none

	Validate  data.Dataset    // examples to validate on after each epoch; nil for none
	Metrics   []metric.Metric // measured on them, beside loss and accuracy
	Transform data.Transform  // of training pictures; nil means the data set's own
	Mix       data.Mixer      // of training batches, such as augment.MixUp; nil for none
	Weights   []float64       // how often to draw each example, such as data.Balance gives; nil means each once an epoch
	Seed      uint64          // of the order of examples, of transforms, of dropout
	Workers   int             // goroutines that prepare pictures; 0 means GOMAXPROCS

	// Skip is told of each example that cannot be read, in training or validation, for which another of its
	// batch takes its place; data.SkipList lists them. When it is nil such an example ends the run with an
	// error.
	Skip func(name string, err error)

	Checkpoint Checkpoint // kept in its Dir; the zero value keeps none
	// Resume is the folder of an earlier run's checkpoints, to go on with the same bits; without any in
	// it, the run starts anew. The rest of Config must be the same, but for Epochs, Workers and Callbacks.
	Resume string

	Callbacks []Callback
}

// EMA says how Fit averages the weights (see optim.EMA). Validation, the best weights of Config.Checkpoint
// and, when Fit returns without an error, the model itself have the average.
type EMA struct {
	Decay  float64 // share that an update keeps, such as 0.999; 0 means no average
	Warmup bool    // forget the first weights sooner
}

// Fit trains a model on a data set. When ctx ends it stops after the step in hand and returns ctx's error
// together with what there is; the model keeps the weights that it then has.
func Fit(ctx context.Context, m *nn.Model, ds data.Dataset, c Config) (*Run, error) {
	f, err := newFit(m, ds, c)
	if err != nil {
		return nil, err
	}
	err = f.run(ctx)
	if err == nil {
		err = f.finish()
	}
	f.Err = err
	for _, cb := range f.Config.Callbacks {
		if e := cb.End(&f.Run); e != nil && err == nil {
			err = e
		}
	}
	return &f.Run, err
}

// fit is a run with what callbacks need not see.
type fit struct {
	Run
	loader   *data.Loader
	validate *Evaluator
	rng      ops.RNG
	steps    map[int]*Step // by batch size: the last batch of an epoch may be shorter
	optim    *optim.State
	params   []*optim.Param // of optim
	index    map[string]int // place of a variable in optim
	average  *optim.EMA     // nil for none

	next    float64       // learning rate of the step in hand
	done    int           // batches of the epoch that are over
	spent   time.Duration // on the epoch, a part before a resume included
	waited  time.Duration // for pictures, of this epoch
	stepped time.Duration // in steps, likewise
	correct int
	lossSum float64

	waiting bool // the optimiser has gradients that wait for more batches
	torn    bool // a step or a callback failed half-way: what there is now is not a state to go on from

	best    *bestValue
	saved   int // step of the last checkpoint
	savedAt time.Time
}

func newFit(m *nn.Model, ds data.Dataset, c Config) (*fit, error) {
	if m == nil || ds == nil {
		return nil, errors.New("fit: no model or no data set")
	}
	if c.Epochs < 1 {
		return nil, errors.Errorf("fit: %d epochs, want at least 1", c.Epochs)
	}
	if c.Optimizer == nil || c.Schedule == nil {
		return nil, errors.New("fit: Config.Optimizer and Config.Schedule must be set")
	}
	if c.Loss == nil {
		c.Loss = CrossEntropy
	}
	f := &fit{Run: Run{Model: m, Config: c, Classes: data.Classes(ds)}, rng: ops.RNG{Seed: c.Seed}, steps: make(map[int]*Step), index: make(map[string]int)}
	f.Run.fit = f
	var err error
	f.loader, err = data.NewLoader(ds, data.LoaderConfig{Batch: c.Batch, Shuffle: !data.Ordered(ds), Seed: c.Seed, Workers: c.Workers,
		Transform: c.Transform, Mix: c.Mix, Weights: c.Weights, Skip: c.Skip})
	if err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	f.Batches = f.loader.Batches()
	if s := f.loader.Shape(); len(m.Input) != 3 || [3]int(m.Input) != s {
		return nil, errors.Errorf("fit: pictures have shape %v [C, H, W], the model wants %v", s, m.Input)
	}
	if c.Validate != nil {
		if f.validate, err = NewEvaluator(m, c.Validate, EvaluateConfig{Batch: c.Batch, Workers: c.Workers, Loss: c.Loss, Metrics: c.Metrics, Skip: c.Skip}); err != nil {
			return nil, errors.Wrap(err, "fit: validation")
		}
	} else if len(c.Metrics) > 0 {
		return nil, errors.New("fit: Config.Metrics are measured in validation, and there is no Config.Validate")
	}
	if err := schedule.Check(c.Schedule); err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	updates := c.Updates
	updates.Optimizer = c.Optimizer
	var params []optim.Param
	var live []weights.Named
	for _, v := range m.Store().Variables() {
		live = append(live, weights.Named{Name: v.Name, Value: v.Value})
		if v.Role == graph.Parameter {
			f.index[v.Name] = len(params)
			params = append(params, optim.Param{Name: v.Name, Value: v.Value})
		}
	}
	if f.optim, err = optim.New(updates, params); err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	f.params = f.optim.Params()
	if c.EMA.Decay != 0 {
		if f.average, err = optim.NewEMA(c.EMA.Decay, c.EMA.Warmup, live); err != nil {
			return nil, errors.Wrap(err, "fit")
		}
	}
	if err := f.resume(); err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	return f, nil
}

func (f *fit) run(ctx context.Context) error {
	for _, cb := range f.Config.Callbacks {
		if err := cb.Begin(&f.Run); err != nil {
			return err
		}
	}
	for f.Epoch < f.Config.Epochs && !f.stopped {
		if err := f.epoch(ctx); err != nil {
			if ctx.Err() != nil && !f.torn && f.Config.Checkpoint.Dir != "" && f.Step > f.saved {
				// The state is that of the last complete step: nothing of it is to be lost.
				if e := f.save(); e != nil {
					return errors.Wrapf(err, "%v; after", e)
				}
			}
			return err
		}
	}
	return nil
}

// finish leaves in the model what the run was for.
func (f *fit) finish() error {
	if f.Config.Checkpoint.LoadBest && f.best != nil {
		return weights.LoadStore(f.Config.Checkpoint.bestPath(), f.Model.Store())
	}
	if f.average != nil {
		f.average.Swap()
	}
	return nil
}

func (f *fit) epoch(ctx context.Context) error {
	start := time.Now().Add(-f.spent)
	asked := time.Now()
	for batch, err := range f.loader.Epoch(ctx, f.Epoch, f.done) {
		if err != nil {
			return err
		}
		came := time.Now()
		f.waited += came.Sub(asked)
		if err := f.step(ctx, batch, start); err != nil {
			return errors.Wrapf(err, "epoch %d, batch %d", f.Epoch+1, batch.Number+1)
		}
		f.stepped += time.Since(came)
		for _, cb := range f.Config.Callbacks {
			if err := cb.StepEnd(&f.Run); err != nil {
				f.torn = true
				return err
			}
		}
		if f.stopped {
			break
		}
		f.spent = time.Since(start)
		if f.due() {
			if err := f.save(); err != nil {
				return err
			}
		}
		asked = time.Now()
	}
	whole := f.done == f.Batches
	if !whole && f.Config.Checkpoint.Dir != "" {
		// Stopped in mid-epoch: a resumed run goes on here, and not after what is said of the part.
		if err := f.save(); err != nil {
			return err
		}
	}
	e := Epoch{Epoch: f.Epoch + 1, Loss: f.Mean, Accuracy: f.Accuracy, Rate: f.Rate, Speed: f.Speed, Wait: f.waited, Stepping: f.stepped}
	began := time.Now()
	if f.validate != nil {
		v, err := f.evaluate(ctx)
		if err != nil {
			return errors.Wrapf(err, "epoch %d: validation", f.Epoch+1)
		}
		e.Validated, e.ValLoss, e.ValAccuracy, e.Metrics = true, v.Loss, v.Accuracy, v.Metrics
	}
	e.Validating = time.Since(began)
	f.torn = true // until all have seen the epoch
	if err := f.observe(e); err != nil {
		return err
	}
	e.Took = time.Since(start)
	f.History = append(f.History, e)
	for _, cb := range f.Config.Callbacks {
		if err := cb.EpochEnd(&f.Run); err != nil {
			return err
		}
	}
	if whole {
		if err := f.keepBest(e); err != nil {
			return err
		}
	}
	f.torn = false
	f.Epoch++
	f.done, f.spent, f.waited, f.stepped = 0, 0, 0, 0
	f.Seen, f.correct, f.lossSum = 0, 0, 0
	if whole && f.Config.Checkpoint.Dir != "" {
		return f.save()
	}
	return nil
}

// evaluate validates with the averaged weights, if there are any.
func (f *fit) evaluate(ctx context.Context) (Result, error) {
	if f.average != nil {
		f.average.Swap()
		defer f.average.Swap()
	}
	return f.validate.Run(ctx)
}

// observe shows a schedule that goes by a measured value what the epoch gave.
func (f *fit) observe(e Epoch) error {
	p := schedule.PlateauOf(f.Config.Schedule)
	if p == nil {
		return nil
	}
	v, err := e.Value(p.Watches())
	if err != nil {
		return errors.Wrap(err, "fit: the schedule")
	}
	p.Observe(v)
	return nil
}

func (f *fit) step(ctx context.Context, batch *data.Batch, start time.Time) error {
	n := len(batch.Labels)
	s := f.steps[n]
	if s == nil {
		var err error
		// Each graph has a generator of its own, so that its streams do not depend on which graph was
		// made first, which after a resume may be another one.
		c := stepConfig{mixed: f.Config.Mix != nil}
		if f.direct() {
			c.update = f.move
		}
		if s, err = newStep(f.Model, n, f.Config.Loss, &ops.RNG{Seed: f.rng.Seed}, c); err != nil {
			return err
		}
		if err := f.leaveUnused(s); err != nil {
			return err
		}
		f.steps[n] = s
	}
	f.next = f.rate()
	s.rng.Step = f.rng.Step
	loss, err := s.run(ctx, batch)
	f.Loss = loss
	if err != nil {
		f.torn = s.moved
		return err
	}
	f.torn = true // until the step is over
	correct, err := countCorrect(s.Output(), batch.Labels)
	if err != nil {
		return err
	}
	f.Rate = f.next
	if err := f.update(s, batch.Number+1 == f.Batches); err != nil {
		return err
	}
	f.torn = false
	f.rng.Step++
	f.Step++
	f.Batch, f.done = batch.Number, batch.Number+1
	f.Seen += n
	f.lossSum += loss * float64(n)
	f.correct += correct
	f.Mean, f.Accuracy = f.lossSum/float64(f.Seen), float64(f.correct)/float64(f.Seen)
	f.Speed = float64(f.Seen) / time.Since(start).Seconds()
	return nil
}

// direct says whether each parameter can be moved while the step runs, as soon as its gradient is there: not if
// gradients are changed, or added up over batches, or have to be known all together first.
func (f *fit) direct() bool {
	u := f.Config.Updates
	return u.ClipValue == 0 && u.ClipNorm == 0 && u.ClipGlobalNorm == 0 && u.Accumulate <= 1
}

// move updates one variable in a step that is direct.
func (f *fit) move(v *graph.Variable, grad *tensor.Dense) error {
	i := f.index[v.Name]
	f.params[i].Grad = grad
	return f.optim.Update(i, f.next)
}

// leaveUnused tells the optimiser which parameters get no gradient: frozen ones, and those that are not in the
// training graph.
func (f *fit) leaveUnused(s *Step) error {
	used := make(map[string]bool, len(s.vars))
	for _, v := range s.vars {
		used[v.Name] = true
	}
	for name, i := range f.index {
		if !used[name] && !f.optim.Frozen(i) {
			if err := f.optim.Freeze(true, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// rate is the learning rate of the step that is about to be made.
func (f *fit) rate() float64 {
	each := max(f.Config.Updates.Accumulate, 1)
	return f.Config.Schedule.Rate(schedule.At{Epoch: f.Epoch, Step: f.Updates, PerEpoch: (f.Batches + each - 1) / each, Epochs: f.Config.Epochs})
}

// update hands the step's gradients to the optimiser, which in a direct step has had them. What accumulates does
// so within an epoch.
func (f *fit) update(s *Step, last bool) error {
	if s.direct {
		f.updated()
		return nil
	}
	vars, grads := s.Gradients()
	for i, v := range vars {
		f.params[f.index[v.Name]].Grad = grads[i]
	}
	updated, err := f.optim.Step(f.Rate)
	if err != nil {
		return err
	}
	f.waiting = !updated
	switch {
	case updated:
		f.updated()
	case last:
		return f.flush()
	}
	return nil
}

func (f *fit) updated() {
	f.waiting = false
	f.Updates++
	if f.average != nil {
		f.average.Update()
	}
}

// flush makes the update that gradients wait for.
func (f *fit) flush() error {
	if !f.waiting {
		return nil
	}
	if err := f.optim.Flush(f.Rate); err != nil {
		return err
	}
	f.updated()
	return nil
}

// countCorrect counts the rows of logits whose largest element stands at the label. Of equal ones the first
// counts as the largest.
func countCorrect(logits any, labels []int) (int, error) {
	x, ok := logits.(*tensor.Dense)
	if !ok || len(x.Shape()) != 2 || x.Shape()[0] != len(labels) {
		return 0, errors.Errorf("accuracy: the output is %T, want logits [%d, classes]", logits, len(labels))
	}
	if x.Dtype() == tensor.Float64 {
		return rowsRight(x.Float64s(), labels, x.Shape()[1]), nil
	}
	return rowsRight(x.Float32s(), labels, x.Shape()[1]), nil
}

func rowsRight[T float32 | float64](x []T, labels []int, classes int) int {
	right := 0
	for r, label := range labels {
		row := x[r*classes : (r+1)*classes]
		best := 0
		for c, v := range row {
			if v > row[best] {
				best = c
			}
		}
		if best == label {
			right++
		}
	}
	return right
}
