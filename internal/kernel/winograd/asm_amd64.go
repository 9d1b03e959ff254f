//go:build amd64 && !noasm

package winograd

var roads = [3]*kernels{
	&generic,
	{6, 1, mulAVX2, outerAVX2, inputAVX2, gradAVX2, filterAVX2, outputAVX2, outputEpAVX2, output3AVX2, transposeAVX2},
	{14, 2, mulAVX512, outerAVX512, inputAVX512, gradAVX512, filterAVX512, outputAVX512, outputEpAVX512, output3AVX512, transposeAVX512},
}

type mulFunc = func(out []float32, os int, a []float32, as int, b []float32, bs, c4 int)

var (
	products512 = [2][14]mulFunc{
		{mul1x16AVX512, mul2x16AVX512, mul3x16AVX512, mul4x16AVX512, mul5x16AVX512, mul6x16AVX512, mul7x16AVX512,
			mul8x16AVX512, mul9x16AVX512, mul10x16AVX512, mul11x16AVX512, mul12x16AVX512, mul13x16AVX512, mul14x16AVX512},
		{mul1x32AVX512, mul2x32AVX512, mul3x32AVX512, mul4x32AVX512, mul5x32AVX512, mul6x32AVX512, mul7x32AVX512,
			mul8x32AVX512, mul9x32AVX512, mul10x32AVX512, mul11x32AVX512, mul12x32AVX512, mul13x32AVX512, mul14x32AVX512},
	}
	products256 = [6]mulFunc{mul1x16AVX2, mul2x16AVX2, mul3x16AVX2, mul4x16AVX2, mul5x16AVX2, mul6x16AVX2}
)

func mulAVX512(rows, np int, out []float32, os int, a []float32, as int, b []float32, bs, c4 int) {
	products512[np-1][rows-1](out, os, a, as, b, bs, c4)
}

func mulAVX2(rows, np int, out []float32, os int, a []float32, as int, b []float32, bs, c4 int) {
	products256[rows-1](out, os, a, as, b, bs, c4)
}

func outerAVX512(np int, out []float32, os int, a, b []float32, bs, tiles int, add bool) {
	for i := 0; i < lane; i += 8 {
		if np == 2 {
			outer8x32AVX512(out[i*lane:], os, a[i:], b, bs, tiles, add)
		} else {
			outer8x16AVX512(out[i*lane:], os, a[i:], b, bs, tiles, add)
		}
	}
}

func outerAVX2(np int, out []float32, os int, a, b []float32, bs, tiles int, add bool) {
	outer6x16AVX2(out, os, a, b, bs, tiles, add)
	outer6x16AVX2(out[6*lane:], os, a[6:], b, bs, tiles, add)
	outer4x16AVX2(out[12*lane:], os, a[12:], b, bs, tiles, add)
}
