// Package par is the one worker pool that every kernel shares.
//
// Work is cut by size, never by the number of workers: For(n, grain, …) always makes the same chunks,
// and workers only decide who computes which. A kernel whose chunks write disjoint memory, or that keeps
// one partial result a chunk and adds them in order, therefore gives the same bits under any GOMAXPROCS.
//
// For allocates nothing in steady state: the arguments travel in a recycled job, and the body is a method
// of the argument struct instead of a closure (a closure handed to another goroutine would escape).
package par

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
)

// Task is a piece of work that can be done in parts: Run does items lo to hi−1.
type Task interface {
	Run(lo, hi int)
}

// job is one call of For: chunks are claimed by counting next up.
type job struct {
	task     Task
	n, grain int
	chunks   int64
	next     atomic.Int64 // chunks claimed so far
	done     atomic.Int64 // chunks finished so far
	refs     atomic.Int64 // goroutines that hold the job; the last one recycles it
	parked   atomic.Bool  // the caller sleeps on wake
	wake     chan struct{}
	recycle  func()
	panicked atomic.Pointer[any]
}

func (j *job) work() {
	for {
		c := j.next.Add(1) - 1
		if c >= j.chunks {
			return
		}
		j.chunk(int(c))
		if j.done.Add(1) == j.chunks && j.parked.Load() {
			select {
			case j.wake <- struct{}{}:
			default:
			}
		}
	}
}

// chunk runs one chunk; a panic is kept for the caller, so that it surfaces where For was called.
func (j *job) chunk(c int) {
	defer func() {
		if r := recover(); r != nil {
			kept := r // so that only a panic moves it to the heap
			j.panicked.CompareAndSwap(nil, &kept)
		}
	}()
	lo := c * j.grain
	j.task.Run(lo, min(lo+j.grain, j.n))
}

func (j *job) release() {
	if j.refs.Add(-1) == 0 {
		j.task = nil
		j.recycle()
	}
}

// spins bounds how long a goroutine looks for work, or for the end of work, before it sleeps:
// some tens of microseconds, about what waking a sleeping thread costs.
const spins = 4000

var (
	queue   = make(chan *job, 256)
	idle    atomic.Int64 // workers that are looking for work
	started atomic.Int64
	startMu sync.Mutex
)

func worker() {
	idle.Add(1)
	for {
		var j *job
		for i := range spins {
			select {
			case j = <-queue:
			default:
			}
			if j != nil {
				break
			}
			pause(i)
		}
		if j == nil {
			j = <-queue
		}
		idle.Add(-1)
		j.work()
		j.release()
		idle.Add(1)
	}
}

// ensure starts workers until there are n.
func ensure(n int) {
	if started.Load() >= int64(n) {
		return
	}
	startMu.Lock()
	defer startMu.Unlock()
	for started.Load() < int64(n) {
		started.Add(1)
		go worker()
	}
}

// Workers is the number of goroutines that may run chunks of one call at the same time.
func Workers() int { return runtime.GOMAXPROCS(0) }

// Chunks is the number of chunks that For(n, grain, …) makes.
func Chunks(n, grain int) int { return (n + grain - 1) / grain }

// pools holds, for each type of argument, the jobs that wait to be used again.
var pools sync.Map // reflect.Type → *freelist[A]

type freelist[A any] struct {
	mu   sync.Mutex
	free []*box[A]
}

type box[A any] struct {
	job
	args A
}

func (f *freelist[A]) get() *box[A] {
	f.mu.Lock()
	if k := len(f.free); k > 0 {
		b := f.free[k-1]
		f.free = f.free[:k-1]
		f.mu.Unlock()
		return b
	}
	f.mu.Unlock()
	b := &box[A]{}
	b.wake = make(chan struct{}, 1)
	b.recycle = func() {
		var zero A
		b.args = zero
		f.mu.Lock()
		f.free = append(f.free, b)
		f.mu.Unlock()
	}
	return b
}

func listFor[A any]() *freelist[A] {
	key := reflect.TypeFor[A]()
	if l, ok := pools.Load(key); ok {
		return l.(*freelist[A])
	}
	l, _ := pools.LoadOrStore(key, &freelist[A]{})
	return l.(*freelist[A])
}

// For cuts items 0 to n−1 into chunks of grain and runs args.Run on each, on the calling goroutine and on
// idle workers; it returns when all are done. Run gets a copy of args that all chunks share, so it must not
// write to fields of args. A panic in Run is raised again here.
func For[A any, P interface {
	*A
	Task
}](n, grain int, args A) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	list := listFor[A]()
	b := list.get()
	b.args = args
	j := &b.job
	j.task = P(&b.args)
	j.n, j.grain, j.chunks = n, grain, int64(Chunks(n, grain))
	j.next.Store(0)
	j.done.Store(0)
	j.parked.Store(false)
	j.panicked.Store(nil)
	select {
	case <-j.wake: // a late signal of the job's last use
	default:
	}
	help := min(Workers(), int(j.chunks)) - 1
	j.refs.Store(int64(help) + 1)
	if help > 0 {
		ensure(Workers() - 1)
		for range help {
			select {
			case queue <- j:
			default: // the queue is full: everyone is busy, so the caller does it alone
				j.refs.Add(-1)
			}
		}
	}
	j.work()
	wait(j)
	p := j.panicked.Load()
	j.release()
	if p != nil {
		panic(*p)
	}
}

func wait(j *job) {
	for i := range spins {
		if j.done.Load() == j.chunks {
			return
		}
		pause(i)
	}
	j.parked.Store(true)
	for j.done.Load() != j.chunks {
		<-j.wake
	}
}
