package data

import (
	"context"
	"iter"
	"sync"

	"github.com/pkg/errors"
)

// Sequential is a Dataset whose examples come in one order only. A Loader calls Start before the first Get
// of an epoch and Stop after the last; Get is then called once for each example from first on, by several
// goroutines and nearly in order. Such a data set cannot be shuffled by the Loader.
type Sequential interface {
	Dataset
	Start(ctx context.Context, epoch, first int) error
	Stop()
}

// Ordered tells whether a data set is Sequential.
func Ordered(ds Dataset) bool { return sequential(ds) != nil }

// sequential is the Sequential behind ds, or nil.
func sequential(ds Dataset) Sequential {
	switch d := ds.(type) {
	case Sequential:
		return d
	case *with:
		return sequential(d.Dataset)
	}
	return nil
}

// Pending is an example that is yet to be made, such as a picture to be decoded. Loaders call it in parallel.
type Pending func() (Example, error)

// Stream is a Dataset of what a sequence yields.
type Stream struct {
	Size   int // examples in an epoch
	Labels []string
	// Open begins the sequence of an epoch, from 0. For a run that can be resumed it must be the same
	// sequence each time. It is an error if it yields fewer than Size; what it yields after is left.
	Open func(ctx context.Context, epoch int) iter.Seq2[Pending, error]
	// Buffer shuffles: each example is drawn from the next so many; 0 means none. Seed and epoch decide.
	Buffer int
	Seed   uint64

	mu     sync.Mutex
	next   func() (Pending, error, bool)
	stop   func()
	at     int // number of the next example of the sequence
	ready  map[int]Pending
	failed error
}

var _ Sequential = &Stream{}

// Len is Size.
func (s *Stream) Len() int { return s.Size }

// Classes is Labels.
func (s *Stream) Classes() []string { return s.Labels }

// Start opens the sequence and passes over what comes before first.
func (s *Stream) Start(ctx context.Context, epoch, first int) error {
	if s.Open == nil {
		return errors.New("stream: Open is nil")
	}
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := s.Open(ctx, epoch)
	if s.Buffer > 1 {
		seq = shuffled(seq, s.Buffer, s.Seed, epoch)
	}
	s.next, s.stop = iter.Pull2(seq)
	s.at, s.ready, s.failed = 0, make(map[int]Pending), nil
	for s.at < first {
		if err := s.advance(); err != nil {
			return err
		}
		delete(s.ready, s.at-1)
	}
	return nil
}

// Stop ends the sequence.
func (s *Stream) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
	s.next, s.stop, s.ready = nil, nil, nil
}

// Get makes example i, which must not have been asked for before in the epoch. Between Start and Stop only.
func (s *Stream) Get(i int) (Example, error) {
	p, err := s.take(i)
	if err != nil {
		return Example{}, err
	}
	return p()
}

func (s *Stream) take(i int) (Pending, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		return nil, errors.New("stream: not started; only a Loader of the stream itself can read it")
	}
	for s.at <= i {
		if err := s.advance(); err != nil {
			return nil, err
		}
	}
	p := s.ready[i]
	if p == nil {
		return nil, errors.Errorf("stream: example %d is over", i)
	}
	delete(s.ready, i)
	return p, nil
}

func (s *Stream) advance() error {
	if s.failed != nil {
		return s.failed
	}
	p, err, ok := s.next()
	if !ok {
		err = errors.Errorf("stream: it ended after %d examples, want %d", s.at, s.Size)
	} else if err == nil && p == nil {
		err = errors.Errorf("stream: example %d is nil", s.at)
	}
	if err != nil {
		s.failed = err
		return err
	}
	s.ready[s.at] = p
	s.at++
	return nil
}

// shuffled draws each element from the next size ones of seq.
func shuffled(seq iter.Seq2[Pending, error], size int, seed uint64, epoch int) iter.Seq2[Pending, error] {
	return func(yield func(Pending, error) bool) {
		var buffer []Pending
		count := uint64(0)
		draw := func() Pending {
			k := int(mix(mix(seed^uint64(epoch))+count) % uint64(len(buffer)))
			count++
			p := buffer[k]
			buffer[k] = buffer[len(buffer)-1]
			buffer = buffer[:len(buffer)-1]
			return p
		}
		for p, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if buffer = append(buffer, p); len(buffer) == size && !yield(draw(), nil) {
				return
			}
		}
		for len(buffer) > 0 {
			if !yield(draw(), nil) {
				return
			}
		}
	}
}
