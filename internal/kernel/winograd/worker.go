package winograd

import "sync"

// worker is the scratch memory of one goroutine. It is kept for the next call, so that steady state
// allocates nothing; it is as large as the largest shape met asked for (3 MiB with 512 channels).
type worker struct {
	v     []float32 // transformed pixels
	m     []float32 // products
	u     []float32 // transformed filters
	zeros []float32 // a row of pixels outside the picture; never written
	edge  [16 * lane]float32
	pack  [(9*lane + 7) * lane]float32 // filters, taps apart
	tmp   [tmpLen]float32
	src   [6][]float32
	mask  [6]uint32
	src4  [4][]float32
	mask4 [4]uint32
	ones  [lane]float32
	none  [lane]float32
}

var workers struct {
	sync.Mutex
	free []*worker
}

func getWorker() *worker {
	workers.Lock()
	defer workers.Unlock()
	if n := len(workers.free); n > 0 {
		w := workers.free[n-1]
		workers.free = workers.free[:n-1]
		return w
	}
	w := new(worker)
	for i := range w.ones {
		w.ones[i] = 1
	}
	return w
}

func (w *worker) release() {
	clear(w.src[:]) // no hold on the caller's pictures
	clear(w.src4[:])
	workers.Lock()
	workers.free = append(workers.free, w)
	workers.Unlock()
}

// grow makes *buf at least n floats long and returns that much of it.
func grow(buf *[]float32, n int) []float32 {
	if len(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}
