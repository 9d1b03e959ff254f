package data

import (
	"context"
	"image"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// LoaderConfig says how a Loader makes batches. The zero value gives batches of 32 in the data set's own
// order, a shorter last one included.
type LoaderConfig struct {
	Batch    int    // examples a batch; 0 means 32
	Shuffle  bool   // another order each epoch
	Seed     uint64 // of the order and of every transform's chance
	DropLast bool   // leave out the last batch when it is shorter
	Workers  int    // goroutines that decode and transform; 0 means GOMAXPROCS
	Prefetch int    // batches made ahead of the one in use; 0 means 2

	// Transform turns pictures into numbers. When it is nil, the data set's own is used (see With), or
	// else Pixels of the first picture's size.
	Transform Transform

	// Mix changes batches as a whole, after the transform of each picture; nil for none.
	Mix Mixer

	// Weights, an example each, are how often to draw it: an epoch has as many examples as the data set,
	// drawn with replacement. nil means each once. It needs Shuffle.
	Weights []float64

	// Skip is called, in order, for each example that cannot be read; the next good one of the same
	// batch takes its place, so that batches keep their size and all others their place. When Skip is
	// nil, such an example ends the epoch with an error.
	Skip func(name string, err error)
}

// Batch is the numbers of some examples. It belongs to the Loader and is good until the next one is asked
// for.
type Batch struct {
	Images *tensor.Dense // [N, C, H, W] float32
	Labels []int         // [N]
	Index  []int         // [N] places in the data set
	Number int           // place in the epoch, from 0

	// Of pictures that a Mixer has mixed: the label of the other picture, and the share of Labels. Both
	// are nil when there is no Mixer.
	Second []int     // [N]
	Share  []float64 // [N] 0 to 1
}

// Mixer mixes the pictures of a batch with each other.
type Mixer interface {
	// Mix may change b.Images [N, C, H, W], b.Second and b.Share, which come as b.Labels and ones. All its
	// chance comes from rnd, which is seeded by epoch and batch.
	Mix(b *Batch, rnd *rand.Rand) error
}

// Loader makes batches of a data set. One epoch may run at a time.
type Loader struct {
	ds    Dataset
	cfg   LoaderConfig
	shape [3]int // [C, H, W]
	order []int
	draw  []float64 // running sums of Weights; nil for none
	slots []*slot
	busy  atomic.Bool
}

// NewLoader checks the configuration. It reads the first picture when that is needed to know the size.
func NewLoader(ds Dataset, cfg LoaderConfig) (*Loader, error) {
	if ds.Len() <= 0 {
		return nil, errors.New("loader: the data set is empty")
	}
	if cfg.Batch < 0 || cfg.Workers < 0 || cfg.Prefetch < 0 {
		return nil, errors.Errorf("loader: batch %d, workers %d, prefetch %d, want none below 0", cfg.Batch, cfg.Workers, cfg.Prefetch)
	}
	if cfg.Batch == 0 {
		cfg.Batch = 32
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Prefetch == 0 {
		cfg.Prefetch = 2
	}
	if cfg.DropLast && ds.Len() < cfg.Batch {
		return nil, errors.Errorf("loader: %d examples make no batch of %d, and shorter ones are left out", ds.Len(), cfg.Batch)
	}
	if cfg.Shuffle && Ordered(ds) {
		return nil, errors.New("loader: the data set has an order of its own; it cannot be shuffled here")
	}
	draw, err := cumulate(cfg, ds)
	if err != nil {
		return nil, err
	}
	if cfg.Transform == nil {
		cfg.Transform = transformOf(ds)
	}
	if cfg.Transform == nil {
		p, err := pixelsOf(ds)
		if err != nil {
			return nil, err
		}
		cfg.Transform = p
	}
	l := &Loader{ds: ds, cfg: cfg, draw: draw, shape: cfg.Transform.Shape()}
	for _, d := range l.shape {
		if d <= 0 {
			return nil, errors.Errorf("loader: the transform gives shape %v, want three sizes above 0", l.shape)
		}
	}
	return l, nil
}

// pixelsOf fits Pixels to the first picture.
func pixelsOf(ds Dataset) (Pixels, error) {
	ex, err := ds.Get(0)
	if err != nil {
		return Pixels{}, errors.WithMessage(err, Name(ds, 0))
	}
	size := ex.Image.Bounds().Size()
	p := Pixels{Channels: 3, Height: size.Y, Width: size.X}
	switch ex.Image.(type) {
	case *image.Gray, *image.Gray16:
		p.Channels = 1
	}
	return p, nil
}

// Shape is [C, H, W] of one example.
func (l *Loader) Shape() [3]int { return l.shape }

// BatchSize is the number of examples in every batch but perhaps the last.
func (l *Loader) BatchSize() int { return l.cfg.Batch }

// Batches is the number of batches in an epoch.
func (l *Loader) Batches() int {
	if l.cfg.DropLast {
		return l.ds.Len() / l.cfg.Batch
	}
	return (l.ds.Len() + l.cfg.Batch - 1) / l.cfg.Batch
}

// Examples is the number of examples in an epoch.
func (l *Loader) Examples() int { return min(l.ds.Len(), l.Batches()*l.cfg.Batch) }

// Epoch makes the batches of one epoch, from batch number first on: with the number of batches already
// done, it goes on in the middle of an epoch just as if it had made the ones before. Epochs count from 0.
//
//	for batch, err := range loader.Epoch(ctx, epoch, 0) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error, the context's included, is the last thing that the sequence yields. Ending the loop stops the
// workers.
func (l *Loader) Epoch(ctx context.Context, epoch, first int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if first < 0 || first > l.Batches() || epoch < 0 {
			yield(nil, errors.Errorf("loader: epoch %d from batch %d, want epoch 0 or later and a batch from 0 to %d", epoch, first, l.Batches()))
			return
		}
		if !l.busy.CompareAndSwap(false, true) {
			yield(nil, errors.New("loader: an epoch runs already; two at a time need two loaders"))
			return
		}
		defer l.busy.Store(false)
		l.run(ctx, epoch, first, yield)
	}
}

func (l *Loader) run(ctx context.Context, epoch, first int, yield func(*Batch, error) bool) {
	if s := sequential(l.ds); s != nil {
		if err := s.Start(ctx, epoch, first*l.cfg.Batch); err != nil {
			yield(nil, err)
			return
		}
		defer s.Stop()
	}
	if l.draw != nil {
		l.order = drawn(l.order, l.draw, l.cfg.Seed, uint64(epoch))
	} else if l.cfg.Shuffle {
		l.order = permutation(l.order, l.ds.Len(), l.cfg.Seed, uint64(epoch))
	} else {
		l.order = identity(l.order, l.ds.Len())
	}
	if l.slots == nil {
		for range l.cfg.Prefetch + 1 {
			l.slots = append(l.slots, l.newSlot())
		}
	}

	ctx, cancel := context.WithCancel(ctx)
	// Every part of every batch that is on its way fits in the channel, so that start never blocks.
	tasks := make(chan task, len(l.slots)*l.cfg.Batch)
	var workers sync.WaitGroup
	for range l.cfg.Workers {
		workers.Go(func() { l.work(ctx, uint64(epoch), tasks) })
	}
	defer workers.Wait()
	defer close(tasks)
	defer cancel() // a broken-off epoch leaves tasks behind: nobody waits for their pictures

	next := first
	start := func(s *slot) {
		if next < l.Batches() {
			l.start(s, next, tasks)
			next++
		}
	}
	for _, s := range l.slots {
		start(s)
	}
	for number := first; number < l.Batches(); number++ {
		s := l.slots[(number-first)%len(l.slots)]
		select {
		case <-ctx.Done():
			yield(nil, errors.WithStack(ctx.Err()))
			return
		case <-s.ready:
		}
		if err := ctx.Err(); err != nil {
			yield(nil, errors.WithStack(err))
			return
		}
		if err := l.mend(s); err != nil {
			yield(nil, err)
			return
		}
		if err := l.mix(s, epoch); err != nil {
			yield(nil, err)
			return
		}
		if !yield(&s.batch, nil) {
			return
		}
		start(s)
	}
}

// slot is a batch in the making and the memory it reuses.
type slot struct {
	batch   Batch
	whole   *tensor.Dense // [Batch, C, H, W]
	part    *tensor.Dense // [N, C, H, W]: the shorter last batch, over the same memory
	labels  []int
	errs    []error // by example
	pending atomic.Int64
	ready   chan struct{}
}

// task is a run of examples in a batch.
type task struct {
	slot   *slot
	lo, hi int
}

func (l *Loader) newSlot() *slot {
	return &slot{
		whole:  tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(l.cfg.Batch, l.shape[0], l.shape[1], l.shape[2])),
		labels: make([]int, l.cfg.Batch),
		errs:   make([]error, l.cfg.Batch),
		ready:  make(chan struct{}, 1),
	}
}

// start hands the examples of a batch to the workers.
func (l *Loader) start(s *slot, number int, tasks chan<- task) {
	select {
	case <-s.ready: // left by an epoch that was broken off
	default:
	}
	index := l.order[number*l.cfg.Batch : min((number+1)*l.cfg.Batch, len(l.order))]
	n := len(index)
	s.batch = Batch{Images: l.images(s, n), Labels: s.labels[:n], Index: index, Number: number, Second: s.batch.Second, Share: s.batch.Share}
	// Parts small enough that all workers finish at about the same time; they do not show in the result.
	size := (n + 4*l.cfg.Workers - 1) / (4 * l.cfg.Workers)
	s.pending.Store(int64((n + size - 1) / size))
	for lo := 0; lo < n; lo += size {
		tasks <- task{s, lo, min(lo+size, n)}
	}
}

// images is the first n pictures of the slot's memory.
func (l *Loader) images(s *slot, n int) *tensor.Dense {
	if n == l.cfg.Batch {
		return s.whole
	}
	if s.part == nil || s.part.Shape()[0] != n {
		s.part = tensor.New(tensor.WithShape(n, l.shape[0], l.shape[1], l.shape[2]),
			tensor.WithBacking(s.whole.Float32s()[:n*l.size()]))
	}
	return s.part
}

// size is the number of numbers in one example.
func (l *Loader) size() int { return l.shape[0] * l.shape[1] * l.shape[2] }

func (l *Loader) work(ctx context.Context, epoch uint64, tasks <-chan task) {
	src := rand.NewPCG(0, 0)
	rnd := rand.New(src)
	for t := range tasks {
		for p := t.lo; p < t.hi && ctx.Err() == nil; p++ {
			i := t.slot.batch.Index[p]
			chance := mix(uint64(i))
			if l.draw != nil { // an example may come twice, and is to look different then
				chance = mix(chance + uint64(t.slot.batch.Number*l.cfg.Batch+p))
			}
			src.Seed(mix(l.cfg.Seed)^epoch, chance)
			t.slot.errs[p] = l.example(t.slot, p, i, rnd)
		}
		if t.slot.pending.Add(-1) == 0 {
			t.slot.ready <- struct{}{}
		}
	}
}

// example fills place p of a batch with example i. A decoder that panics on a hostile picture is an error
// like any other.
func (l *Loader) example(s *slot, p, i int, rnd *rand.Rand) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("panic: %v", r)
		}
	}()
	ex, err := l.ds.Get(i)
	if err != nil {
		return err
	}
	if ex.Image == nil {
		return errors.New("no picture")
	}
	s.labels[p] = ex.Label
	return l.cfg.Transform.Apply(s.whole.Float32s()[p*l.size():(p+1)*l.size()], ex.Image, rnd)
}

// mix lets the Mixer have the batch.
func (l *Loader) mix(s *slot, epoch int) error {
	if l.cfg.Mix == nil {
		return nil
	}
	b := &s.batch
	b.Second, b.Share = append(b.Second[:0], b.Labels...), b.Share[:0]
	for range b.Labels {
		b.Share = append(b.Share, 1)
	}
	rnd := rand.New(rand.NewPCG(mix(l.cfg.Seed^0x6d6978)^uint64(epoch), mix(uint64(b.Number)))) // "mix": apart from the transforms' chance
	return errors.WithMessagef(l.cfg.Mix.Mix(b, rnd), "mixing batch %d", b.Number)
}

// mend puts the next good example in the place of each bad one, or returns the first error.
func (l *Loader) mend(s *slot) error {
	n := len(s.batch.Index)
	for p := range n {
		err := s.errs[p]
		if err == nil {
			continue
		}
		name := Name(l.ds, s.batch.Index[p])
		if l.cfg.Skip == nil {
			return errors.WithMessage(err, name)
		}
		l.cfg.Skip(name, err)
	}
	pixels, size := s.whole.Float32s(), l.size()
	for p := range n {
		if s.errs[p] == nil {
			continue
		}
		good := p
		for step := 1; step < n && s.errs[good] != nil; step++ {
			good = (p + step) % n
		}
		if s.errs[good] != nil {
			return errors.Errorf("batch %d: none of its %d examples can be read", s.batch.Number, n)
		}
		copy(pixels[p*size:(p+1)*size], pixels[good*size:(good+1)*size])
		s.labels[p] = s.labels[good]
		s.batch.Index[p] = s.batch.Index[good]
	}
	return nil
}
