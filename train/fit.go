package train

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// Config says how Fit trains. Epochs and Optimizer must be set; the rest has useful zero values.
type Config struct {
	Epochs    int
	Batch     int  // examples a step; 0 means 32
	Loss      Loss // nil means CrossEntropy
	Optimizer optim.Optimizer
	Schedule  schedule.Schedule // learning rate

	Updates optim.Config // parameter groups, clipping, accumulation; its Optimizer is the one above

	Validate  data.Dataset   // examples to validate on after each epoch; nil for none
	Transform data.Transform // of training pictures; nil means the data set's own
	Seed      uint64         // of the order of examples, of transforms, of dropout
	Workers   int            // goroutines that prepare pictures; 0 means GOMAXPROCS

	Callbacks []Callback
}

// Fit trains a model on a data set. When ctx ends it stops after the step in hand and returns ctx's error
// together with what there is; the model keeps the weights that it then has.
func Fit(ctx context.Context, m *nn.Model, ds data.Dataset, c Config) (*Run, error) {
	f, err := newFit(m, ds, c)
	if err != nil {
		return nil, err
	}
	err = f.run(ctx)
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
	rng      *ops.RNG
	steps    map[int]*Step // by batch size: the last batch of an epoch may be shorter
	optim    *optim.State
	index    map[string]int // place of a variable in optim
	correct  int
	lossSum  float64
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
	f := &fit{Run: Run{Model: m, Config: c, Classes: data.Classes(ds)}, rng: &ops.RNG{Seed: c.Seed}, steps: make(map[int]*Step), index: make(map[string]int)}
	var err error
	f.loader, err = data.NewLoader(ds, data.LoaderConfig{Batch: c.Batch, Shuffle: true, Seed: c.Seed, Workers: c.Workers, Transform: c.Transform})
	if err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	f.Batches = f.loader.Batches()
	if s := f.loader.Shape(); len(m.Input) != 3 || [3]int(m.Input) != s {
		return nil, errors.Errorf("fit: pictures have shape %v [C, H, W], the model wants %v", s, m.Input)
	}
	if c.Validate != nil {
		if f.validate, err = NewEvaluator(m, c.Validate, EvaluateConfig{Batch: c.Batch, Workers: c.Workers, Loss: c.Loss}); err != nil {
			return nil, errors.Wrap(err, "fit: validation")
		}
	}
	if err := schedule.Check(c.Schedule); err != nil {
		return nil, errors.Wrap(err, "fit")
	}
	updates := c.Updates
	updates.Optimizer = c.Optimizer
	var params []optim.Param
	for i, v := range m.Store().Trainable() {
		params = append(params, optim.Param{Name: v.Name, Value: v.Value})
		f.index[v.Name] = i
	}
	if f.optim, err = optim.New(updates, params); err != nil {
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
	for f.Epoch = 0; f.Epoch < f.Config.Epochs && !f.stopped; f.Epoch++ {
		if err := f.epoch(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *fit) epoch(ctx context.Context) error {
	start := time.Now()
	f.Seen, f.correct, f.lossSum = 0, 0, 0
	for batch, err := range f.loader.Epoch(ctx, f.Epoch, 0) {
		if err != nil {
			return err
		}
		if err := f.step(ctx, batch, start); err != nil {
			return errors.Wrapf(err, "epoch %d, batch %d", f.Epoch+1, batch.Number+1)
		}
		for _, cb := range f.Config.Callbacks {
			if err := cb.StepEnd(&f.Run); err != nil {
				return err
			}
		}
		if f.stopped {
			break
		}
	}
	e := Epoch{Epoch: f.Epoch + 1, Loss: f.Mean, Accuracy: f.Accuracy, Rate: f.Rate, Speed: f.Speed}
	if f.validate != nil {
		v, err := f.validate.Run(ctx)
		if err != nil {
			return errors.Wrapf(err, "epoch %d: validation", f.Epoch+1)
		}
		e.Validated, e.ValLoss, e.ValAccuracy = true, v.Loss, v.Accuracy
	}
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
	return nil
}

// observe shows a schedule that goes by a measured value what the epoch gave.
func (f *fit) observe(e Epoch) error {
	p := schedule.PlateauOf(f.Config.Schedule)
	if p == nil {
		return nil
	}
	values := map[string]float64{"loss": e.Loss, "accuracy": e.Accuracy}
	if e.Validated {
		values["val_loss"], values["val_accuracy"] = e.ValLoss, e.ValAccuracy
	}
	v, ok := values[p.Watches()]
	if !ok {
		return errors.Errorf("fit: the schedule watches %q; there is loss and accuracy and, with Config.Validate, val_loss and val_accuracy", p.Watches())
	}
	p.Observe(v)
	return nil
}

func (f *fit) step(ctx context.Context, batch *data.Batch, start time.Time) error {
	n := len(batch.Labels)
	s := f.steps[n]
	if s == nil {
		var err error
		if s, err = NewStep(f.Model, n, f.Config.Loss, f.rng); err != nil {
			return err
		}
		f.steps[n] = s
	}
	loss, err := s.Run(ctx, batch.Images, batch.Labels)
	f.Loss = loss
	if err != nil {
		return err
	}
	if err := f.update(s); err != nil {
		return err
	}
	f.rng.Step++
	f.Step++
	f.Batch = batch.Number
	f.Seen += n
	f.lossSum += loss * float64(n)
	correct, err := countCorrect(s.Output(), batch.Labels)
	if err != nil {
		return err
	}
	f.correct += correct
	f.Mean, f.Accuracy = f.lossSum/float64(f.Seen), float64(f.correct)/float64(f.Seen)
	f.Speed = float64(f.Seen) / time.Since(start).Seconds()
	return nil
}

// update hands the step's gradients to the optimiser.
func (f *fit) update(s *Step) error {
	params := f.optim.Params()
	vars, grads := s.Gradients()
	for i, v := range vars {
		params[f.index[v.Name]].Grad = grads[i]
	}
	f.Rate = f.Config.Schedule.Rate(schedule.At{Epoch: f.Epoch, Step: f.Step, PerEpoch: f.Batches, Epochs: f.Config.Epochs})
	_, err := f.optim.Step(f.Rate)
	return err
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
