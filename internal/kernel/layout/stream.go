package layout

// Past is from how many elements on a result is better written past the cache: 16 MiB of float32, which the
// third-level cache of few processors keeps until the next reader comes.
const Past = 4 << 20

// Stream copies src to dst, which must be as long. Where there is assembly the stores pass the cache by, which
// leaves it to others and does not read what is written over.
func Stream(dst, src []float32) {
	src = src[:len(dst)]
	lo, hi := streamLines(dst, src)
	copy(dst[:lo], src)
	copy(dst[hi:], src[hi:])
}
