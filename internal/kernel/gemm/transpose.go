package gemm

// scatterGeneric is the twin of scatter8: column i of eight rows of src, stride apart, goes to dst[offs[i]:].
// The first column is written last.
func scatterGeneric[T Float](dst, src []T, stride int, offs []int) {
	for i := len(offs) - 1; i >= 0; i-- {
		d := dst[offs[i]:][:8]
		for r := range d {
			d[r] = src[r*stride+i]
		}
	}
}

// gatherGeneric is the twin of gather8: column i of eight rows of dst, stride apart, becomes the sum over
// parts, in order, of the eight elements at src[offs[i]+part·next:].
func gatherGeneric[T Float](dst []T, stride int, src []T, offs []int, parts, next int) {
	for i, off := range offs {
		for r := range 8 {
			sum := src[off+r]
			for p := 1; p < parts; p++ {
				sum += src[off+r+p*next]
			}
			dst[r*stride+i] = sum
		}
	}
}

// splitGeneric is the twin of split16.
func splitGeneric[T Float](dst []T, gap int, src []T, stride, rows, pieces int) {
	for r := range rows {
		for p := range pieces {
			copy(dst[p*gap+16*r:][:16], src[r*stride+16*p:])
		}
	}
}
