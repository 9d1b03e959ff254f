package par

import (
	"runtime"
	"sync"
	"testing"
)

type square struct{ y, x []int }

func (s *square) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		s.y[i] = s.x[i] * s.x[i]
	}
}

func TestForDoesEveryItemOnce(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		old := runtime.GOMAXPROCS(procs)
		for _, n := range []int{0, 1, 7, 64, 1000} {
			x, y := make([]int, n), make([]int, n)
			for i := range x {
				x[i] = i
			}
			For(n, 13, square{y, x})
			for i := range y {
				if y[i] != i*i {
					t.Fatalf("procs %d, n %d: item %d is %d", procs, n, i, y[i])
				}
			}
		}
		runtime.GOMAXPROCS(old)
	}
}

// Callers in parallel, as several tapes of a server are, must not disturb each other.
func TestForFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x, y := make([]int, 500), make([]int, 500)
			for i := range x {
				x[i] = i
			}
			for range 300 {
				clear(y)
				For(len(x), 10, square{y, x})
				for i := range y {
					if y[i] != i*i {
						t.Errorf("item %d is %d", i, y[i])
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

type boom struct{}

func (boom) Run(lo, hi int) {
	if lo == 3 {
		panic("boom")
	}
}

func TestPanicReachesCaller(t *testing.T) {
	defer func() {
		if r := recover(); r != "boom" {
			t.Fatalf("recovered %v, want boom", r)
		}
	}()
	For(10, 1, boom{})
}

func TestForAllocatesNothing(t *testing.T) {
	x, y := make([]int, 4096), make([]int, 4096)
	For(len(x), 64, square{y, x})
	if a := testing.AllocsPerRun(200, func() { For(len(x), 64, square{y, x}) }); a >= 1 {
		t.Fatalf("%v allocations a call", a)
	}
}

func BenchmarkForSmall(b *testing.B) {
	x, y := make([]int, 2000), make([]int, 2000)
	for b.Loop() {
		For(len(x), 1000, square{y, x})
	}
}
