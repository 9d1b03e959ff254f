package ops

import (
	"math"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// folding is what a fold does with each element x, and how it joins them.
type folding uint8

const (
	foldSum     folding = iota // Σ x
	foldSquares                // Σ x²
	foldAbs                    // Σ |x|
	foldSpread                 // Σ (x − shift)²
	foldExp                    // Σ exp(x − shift)
	foldProd                   // Π x
	foldMax                    // largest x, NaN if there is one
	foldMin                    // smallest x, NaN if there is one
)

func (f folding) start() float64 {
	switch f {
	case foldProd:
		return 1
	case foldMax:
		return math.Inf(-1)
	case foldMin:
		return math.Inf(1)
	}
	return 0
}

func (f folding) join(a, b float64) float64 {
	switch f {
	case foldProd:
		return a * b
	case foldMax:
		return max(a, b)
	case foldMin:
		return min(a, b)
	}
	return a + b
}

// fold reduces an array over a set of its axes. Results are carried in float64 whatever the array holds, in an
// order that depends on sizes only.
//
// In memory, kept and folded axes alternate. Where the innermost axis is folded, each result gathers whole
// rows; where it is kept, rows are added to a row of results.
type fold struct {
	kept, folded walk // without the inner axis; operand 0 is the array
	inner        int
	innerKept    bool
	results      int
	parts        int  // partial results for each result: the folded rows are cut in so many parts
	result       walk // over the results in the order of kept and inner axis; operand 0 is the output
}

const (
	foldBlock = 4 << 10  // columns of one piece of work where the innermost axis is kept
	foldGrain = 32 << 10 // elements of one piece of work
	foldParts = 64
)

// newFold folds axes of x; out is the result, with or without those axes.
func newFold(x, out *exec.Array, axes axisSet) fold {
	f := fold{inner: 1, results: 1}
	order, steps, outSteps := memoryAxes(x), stepsOf(x), stepsOf(out)
	place := 0 // of the next kept axis in a result that has dropped the others
	var to [maxRank]int
	for k := range x.Shape {
		if len(out.Shape) == len(x.Shape) {
			to[k] = outSteps[k]
		} else if !axes.has(k) {
			to[k] = outSteps[place]
			place++
		}
	}
	last := -1
	for k := range x.Shape {
		a := order[k]
		if x.Shape[a] == 1 {
			continue
		}
		if w := f.side(axes.has(a)); last >= 0 && axes.has(last) == axes.has(a) {
			w.size[w.axes-1] *= x.Shape[a]
			w.step[0][w.axes-1] = steps[a]
		} else {
			w.size[w.axes], w.step[0][w.axes] = x.Shape[a], steps[a]
			w.axes++
		}
		if !axes.has(a) {
			f.result.size[f.result.axes], f.result.step[0][f.result.axes] = x.Shape[a], to[a]
			f.result.axes++
			f.results *= x.Shape[a]
		}
		last = a
	}
	if last >= 0 {
		w := f.side(axes.has(last))
		w.axes--
		f.inner, f.innerKept = w.size[w.axes], !axes.has(last)
	}
	f.result.join()
	// The other walks go by rows: their last axis is one that is not gone through.
	f.kept.size[f.kept.axes], f.folded.size[f.folded.axes] = 1, 1
	f.kept.axes++
	f.folded.axes++
	pieces, rows := f.pieces(), f.folded.rows()
	f.parts = 1
	if pieces < 16 {
		f.parts = max(1, min(rows, foldParts/pieces, rows*f.inner/foldGrain))
	}
	return f
}

func (f *fold) side(folded bool) *walk {
	if folded {
		return &f.folded
	}
	return &f.kept
}

// pieces is how many independent pieces the results are computed in.
func (f *fold) pieces() int {
	if f.innerKept {
		return f.kept.rows() * f.blocks()
	}
	return f.kept.rows()
}

func (f *fold) blocks() int { return par.Chunks(f.inner, foldBlock) }

// scratch is the float64 numbers that the partial results take.
func (f *fold) scratch() int { return f.parts * f.results }

// write sets the results from their totals.
func write[T exec.Float](f *fold, y []T, totals []float64, finish func(i int, total float64) float64) {
	c, cols, step := f.result.seek(0), f.result.cols(), f.result.inner(0)
	for i := 0; i < len(totals); i += cols {
		for j, v := range totals[i : i+cols] {
			y[c.off[0]+j*step] = T(finish(i+j, v))
		}
		f.result.next(&c)
	}
}

type foldTask[T exec.Float] struct {
	fold
	kind  folding
	x     []T
	acc   []float64 // [parts, results]
	shift []float64 // [results]
}

// fold computes the results into acc[:results], in the order of f.result.
func runFold[T exec.Float](f *fold, kind folding, x []T, acc, shift []float64) []float64 {
	items := f.pieces() * f.parts
	work := max(1, len(x)/items)
	par.For(items, max(1, foldGrain/work), foldTask[T]{*f, kind, x, acc, shift})
	total := acc[:f.results]
	for p := 1; p < f.parts; p++ {
		for i, v := range acc[p*f.results : (p+1)*f.results] {
			total[i] = kind.join(total[i], v)
		}
	}
	return total
}

func (t *foldTask[T]) Run(lo, hi int) {
	pieces, rows := t.pieces(), t.folded.rows()
	for i := lo; i < hi; i++ {
		part, piece := i/pieces, i%pieces
		from, to := part*rows/t.parts, (part+1)*rows/t.parts
		if t.innerKept {
			t.columns(part, piece, from, to)
		} else {
			t.gather(part, piece, from, to)
		}
	}
}

// gather folds whole rows into one result.
func (t *foldTask[T]) gather(part, piece, from, to int) {
	at := t.kept.seek(piece)
	row := t.folded.seek(from)
	shift := 0.0
	if t.shift != nil {
		shift = t.shift[piece]
	}
	total := t.kind.start()
	for range to - from {
		o := at.off[0] + row.off[0]
		total = t.kind.join(total, foldRow(t.kind, t.x[o:o+t.inner], shift))
		t.folded.next(&row)
	}
	t.acc[part*t.results+piece] = total
}

// columns folds a block of columns of many rows into as many results.
func (t *foldTask[T]) columns(part, piece, from, to int) {
	blocks := t.blocks()
	c0 := piece % blocks * foldBlock
	n := min(foldBlock, t.inner-c0)
	at := t.kept.seek(piece / blocks)
	row := t.folded.seek(from)
	first := piece/blocks*t.inner + c0
	acc := t.acc[part*t.results+first:][:n]
	var shift []float64
	if t.shift != nil {
		shift = t.shift[first:][:n]
	}
	for i := range acc {
		acc[i] = t.kind.start()
	}
	base := at.off[0] + c0
	for k := from; k < to; {
		if t.kind == foldSum && k+4 <= to {
			var r [4][]T
			for j := range r {
				r[j] = t.x[base+row.off[0]:][:n]
				t.folded.next(&row)
			}
			addRows(acc, r[0], r[1], r[2], r[3])
			k += 4
			continue
		}
		foldInto(t.kind, acc, t.x[base+row.off[0]:][:n], shift)
		t.folded.next(&row)
		k++
	}
}

// foldRow folds one row of neighbours in memory.
func foldRow[T exec.Float](kind folding, x []T, shift float64) float64 {
	total := kind.start()
	switch kind {
	case foldSum:
		return vec.Sum(x)
	case foldSquares:
		return vec.SumSquares(x)
	case foldMax:
		return float64(vec.Max(x))
	case foldMin:
		least := T(math.Inf(1))
		for _, v := range x {
			if !(v >= least) && least == least {
				least = v
			}
		}
		return float64(least)
	case foldAbs:
		for _, v := range x {
			total += math.Abs(float64(v))
		}
	case foldSpread:
		for _, v := range x {
			d := float64(v) - shift
			total += d * d
		}
	case foldExp:
		return vec.ExpSum(x, T(shift))
	case foldProd:
		for _, v := range x {
			total *= float64(v)
		}
	}
	return total
}

func addRows[T exec.Float](acc []float64, a, b, c, d []T) {
	a, b, c, d = a[:len(acc)], b[:len(acc)], c[:len(acc)], d[:len(acc)]
	for i := range acc {
		acc[i] += (float64(a[i]) + float64(b[i])) + (float64(c[i]) + float64(d[i]))
	}
}

// foldInto folds each element of a row into the result of its own.
func foldInto[T exec.Float](kind folding, acc []float64, x []T, shift []float64) {
	x = x[:len(acc)]
	switch kind {
	case foldSum:
		for i, v := range x {
			acc[i] += float64(v)
		}
	case foldSquares:
		for i, v := range x {
			acc[i] += float64(v) * float64(v)
		}
	case foldMax:
		for i, v := range x {
			if f := float64(v); !(f <= acc[i]) && acc[i] == acc[i] { // a NaN is taken, and stays
				acc[i] = f
			}
		}
	case foldMin:
		for i, v := range x {
			if f := float64(v); !(f >= acc[i]) && acc[i] == acc[i] {
				acc[i] = f
			}
		}
	case foldAbs:
		for i, v := range x {
			acc[i] += math.Abs(float64(v))
		}
	case foldSpread:
		for i, v := range x {
			d := float64(v) - shift[i]
			acc[i] += d * d
		}
	case foldExp:
		for i, v := range x {
			acc[i] += math.Exp(float64(v) - shift[i])
		}
	case foldProd:
		for i, v := range x {
			acc[i] *= float64(v)
		}
	}
}
