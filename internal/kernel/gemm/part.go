package gemm

// A sum in one accumulator loses what its partial sums are rounded by, the more the longer it is. InParts makes long
// sums in parts of partSteps or so, each from 0, that are added up in order: sums of 576 products of ReLU's results
// are then off by a third of what they would be.
const (
	partSteps = 32
	partMost  = partSteps * 3 / 2
	partRows  = 84 // full tiles of every road; their sums stay in the first-level cache
)

// runParts is Run, part by part. It prefetches nothing.
func (t *Tile[T]) runParts() {
	cut, runs := 1, max(1, partMost/max(1, t.Len)) // of each run so many parts, or so many runs a part
	if t.Len > partMost {
		cut = (t.Len + partSteps/2) / partSteps
	}
	for i := 0; i < t.Rows; i += partRows {
		part := *t
		part.Rows, part.C, part.Next = min(partRows, t.Rows-i), t.C[i*t.RowC:], nil
		for r := 0; r < len(t.Offs); r += runs {
			end := min(r+runs, len(t.Offs))
			part.Offs = t.Offs[r:end]
			b := r * t.Len * t.StepB
			if t.OffsB != nil {
				part.OffsB, b = t.OffsB[r:end], 0
			}
			for c := range cut {
				from, to := c*t.Len/cut, (c+1)*t.Len/cut
				part.A, part.B, part.Len = t.A[i*t.RowA+from*t.StepA:], t.B[b+from*t.StepB:], to-from
				part.run()
				part.Add = true
			}
		}
	}
}
