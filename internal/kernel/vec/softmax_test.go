package vec

import (
	"math"
	"testing"
)

var rowSizes = [][2]int{{1, 1}, {3, 2}, {4, 7}, {7, 10}, {5, 16}, {2, 1000}, {300, 37}, {2000, 5}}

// softmaxOf is the softmax of a row in float64, and ln Σ exp.
func softmaxOf[T Float](x []T) (p []float64, lse float64) {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, float64(v))
	}
	s := 0.0
	for _, v := range x {
		e := math.Exp(float64(v) - m)
		p = append(p, e)
		s += e
	}
	for i := range p {
		p[i] /= s
	}
	return p, m + math.Log(s)
}

func testRows[T Float](t *testing.T, tol float64) {
	for _, size := range rowSizes {
		for _, shift := range []T{0, 1000} {
			rows, cols := size[0], size[1]
			n := rows * cols
			x, dy, target := random[T](1, n), random[T](2, n), random[T](3, n)
			dloss := random[T](4, rows)
			labels := make([]int, rows)
			for i := range x {
				x[i] = 3*x[i] + shift
				target[i] *= target[i]
			}
			for r := range labels {
				labels[r] = r*31%(cols+1) - 1 // −1: no label
			}
			y, dx, ly, ldx := guarded[T](n), guarded[T](n), guarded[T](n), guarded[T](n)
			Softmax(y, x, rows, cols)
			SoftmaxGrad(dx, dy, y, rows, cols)
			LogSoftmax(ly, x, rows, cols)
			LogSoftmaxGrad(ldx, dy, ly, rows, cols)
			loss, grad := guarded[T](rows), guarded[T](n)
			const smoothing = 0.1
			SoftmaxCrossEntropy(loss, x, labels, smoothing, rows, cols)
			SoftmaxCrossEntropyGrad(grad, x, labels, dloss, smoothing, rows, cols)
			soft, softGrad := guarded[T](rows), guarded[T](n)
			SoftCrossEntropy(soft, x, target, rows, cols)
			SoftCrossEntropyGrad(softGrad, x, target, dloss, rows, cols)
			lossToo, gradToo, softToo, softGradToo := guarded[T](rows), guarded[T](n), guarded[T](rows), guarded[T](n)
			SoftmaxCrossEntropyBoth(lossToo, gradToo, x, labels, dloss, smoothing, rows, cols)
			SoftCrossEntropyBoth(softToo, softGradToo, x, target, dloss, rows, cols)
			for r := range rows {
				row := func(v []T) []T { return v[r*cols : (r+1)*cols] }
				near := func(what string, got T, want, scale float64) {
					if !(math.Abs(float64(got)-want) <= tol*scale) {
						t.Helper()
						t.Fatalf("%dx%d shift %v: %s of row %d is %v, want %v", rows, cols, shift, what, r, got, want)
					}
				}
				p, lse := softmaxOf(row(x))
				var dot, sum, abs, hard, mean, sl, total float64
				for c, v := range row(dy) {
					dot += float64(v) * p[c]
					sum += float64(v)
					abs += math.Abs(float64(v))
					mean += float64(row(x)[c]) / float64(cols)
					total += float64(row(target)[c])
					sl += float64(row(target)[c]) * (lse - float64(row(x)[c]))
				}
				if l := labels[r]; l >= 0 {
					hard = (1-smoothing)*(lse-float64(row(x)[l])) + smoothing*(lse-mean)
				}
				near("loss", loss[r], hard, 10)
				near("loss beside its gradient", lossToo[r], hard, 10)
				near("soft loss", soft[r], sl, 20*(1+total))
				near("soft loss beside its gradient", softToo[r], sl, 20*(1+total))
				for c, q := range p {
					near("softmax", row(y)[c], q, 1)
					near("softmax gradient", row(dx)[c], q*(float64(row(dy)[c])-dot), 1+abs)
					near("log-softmax", row(ly)[c], float64(row(x)[c])-lse, 20)
					near("log-softmax gradient", row(ldx)[c], float64(row(dy)[c])-q*sum, 20*(1+abs))
					want := 0.0
					if l := labels[r]; l >= 0 {
						want = q - smoothing/float64(cols)
						if c == l {
							want -= 1 - smoothing
						}
						want *= float64(dloss[r])
					}
					near("loss gradient", row(grad)[c], want, 4)
					near("loss gradient beside the loss", row(gradToo)[c], want, 4)
					want = (q*total - float64(row(target)[c])) * float64(dloss[r])
					near("soft loss gradient", row(softGrad)[c], want, 4*(1+total))
					near("soft loss gradient beside the loss", row(softGradToo)[c], want, 4*(1+total))
				}
			}
			for _, v := range [][]T{y, dx, ly, ldx, loss, grad, soft, softGrad, lossToo, gradToo, softToo, softGradToo} {
				checkGuards(t, v)
			}
		}
	}
}

func TestRows(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		// A few roundings relative to the size of what is added up.
		t.Run("float32", func(t *testing.T) { testRows[float32](t, 5e-7) })
		t.Run("float64", func(t *testing.T) { testRows[float64](t, 1e-13) }) // x near 1000 has an ulp of 1e-13
	})
}

func TestRowsInPlaceAndAtTheEdges(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		x := []float32{1, 2, 3, float32(math.Inf(-1)), 1e38, -1e38, 0, 5}
		y := append([]float32(nil), x...)
		Softmax(y, y, 2, 4)
		want := []float32{0.09003057, 0.24472847, 0.66524096, 0, 1, 0, 0, 0}
		for i := range y {
			if math.Abs(float64(y[i]-want[i])) > 1e-7 {
				t.Fatalf("softmax is %v, want %v", y, want)
			}
		}
		copy(y, x)
		LogSoftmax(y, y, 2, 4)
		if y[3] != float32(math.Inf(-1)) || y[4] != 0 || math.Abs(float64(y[2])+0.40760596) > 1e-6 {
			t.Fatalf("log-softmax is %v", y)
		}
		y = []float32{1, float32(math.NaN()), 3}
		Softmax(y, y, 1, 3)
		for _, v := range y {
			if v == v {
				t.Fatalf("softmax of a row with NaN is %v", y)
			}
		}
	})
}
