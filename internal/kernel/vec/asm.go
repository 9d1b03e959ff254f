//go:build amd64 && !noasm

package vec

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

//go:generate sh -c "cd ../gen && go run ./vec -out ../vec/kernels_amd64.s -stubs ../vec/kernels_amd64.go -pkg vec"

// elementKernel is y[i] = f(a[i], b[i], s, t) for n elements; it reads only the operands that f needs.
type elementKernel = func(y, a, b *float32, n int, s, t float32)

var elementKernelsAVX2 = [numOps]elementKernel{
	opFill:          fillAVX2,
	opAdd:           addAVX2,
	opSub:           subAVX2,
	opMul:           mulAVX2,
	opDiv:           divAVX2,
	opScale:         scaleAVX2,
	opAddScalar:     addScalarAVX2,
	opAddScaled:     addScaledAVX2,
	opMaximum:       maximumAVX2,
	opMinimum:       minimumAVX2,
	opClamp:         clampAVX2,
	opClampGrad:     clampGradAVX2,
	opAbs:           absAVX2,
	opAbsGrad:       absGradAVX2,
	opSqrt:          sqrtAVX2,
	opSqrtGrad:      sqrtGradAVX2,
	opReLUGrad:      reluGradAVX2,
	opLeakyReLU:     leakyReLUAVX2,
	opLeakyReLUGrad: leakyReLUGradAVX2,
	opELUGrad:       eluGradAVX2,
	opSigmoidGrad:   sigmoidGradAVX2,
	opTanhGrad:      tanhGradAVX2,
	opExp:           expAVX2,
	opLog:           logAVX2,
	opSigmoid:       sigmoidAVX2,
	opTanh:          tanhAVX2,
	opSoftplus:      softplusAVX2,
	opSoftplusGrad:  softplusGradAVX2,
	opELU:           eluAVX2,
	opGELU:          geluAVX2,
	opGELUGrad:      geluGradAVX2,
	opSiLU:          siluAVX2,
	opSiLUGrad:      siluGradAVX2,
	opBCE:           bceAVX2,
	opBCEGrad:       bceGradAVX2,
}

var elementKernelsAVX512 = [numOps]elementKernel{
	opFill:          fillAVX512,
	opAdd:           addAVX512,
	opSub:           subAVX512,
	opMul:           mulAVX512,
	opDiv:           divAVX512,
	opScale:         scaleAVX512,
	opAddScalar:     addScalarAVX512,
	opAddScaled:     addScaledAVX512,
	opMaximum:       maximumAVX512,
	opMinimum:       minimumAVX512,
	opClamp:         clampAVX512,
	opClampGrad:     clampGradAVX512,
	opAbs:           absAVX512,
	opAbsGrad:       absGradAVX512,
	opSqrt:          sqrtAVX512,
	opSqrtGrad:      sqrtGradAVX512,
	opReLUGrad:      reluGradAVX512,
	opLeakyReLU:     leakyReLUAVX512,
	opLeakyReLUGrad: leakyReLUGradAVX512,
	opELUGrad:       eluGradAVX512,
	opSigmoidGrad:   sigmoidGradAVX512,
	opTanhGrad:      tanhGradAVX512,
	opExp:           expAVX512,
	opLog:           logAVX512,
	opSigmoid:       sigmoidAVX512,
	opTanh:          tanhAVX512,
	opSoftplus:      softplusAVX512,
	opSoftplusGrad:  softplusGradAVX512,
	opELU:           eluAVX512,
	opGELU:          geluAVX512,
	opGELUGrad:      geluGradAVX512,
	opSiLU:          siluAVX512,
	opSiLUGrad:      siluGradAVX512,
	opBCE:           bceAVX512,
	opBCEGrad:       bceGradAVX512,
}

// kernel is the assembly for o on the road in force, nil where there is none.
func kernel(o op) elementKernel {
	switch cpu.Current() {
	case cpu.AVX512:
		return elementKernelsAVX512[o]
	case cpu.AVX2:
		return elementKernelsAVX2[o]
	}
	return nil
}

type reductionKernel = func(a, b *float32, n int, s float32) float64

var reductionKernelsAVX2 = [numReductions]reductionKernel{
	redSum:        sumAVX2,
	redSumSquares: sumSquaresAVX2,
	redDot:        dotAVX2,
	redMax:        maxAVX2,
	redFinite:     finiteAVX2,
	redExpSum:     expSumAVX2,
}

var reductionKernelsAVX512 = [numReductions]reductionKernel{
	redSum:        sumAVX512,
	redSumSquares: sumSquaresAVX512,
	redDot:        dotAVX512,
	redMax:        maxAVX512,
	redFinite:     finiteAVX512,
	redExpSum:     expSumAVX512,
}

func reduceKernel(r reduction) reductionKernel {
	switch cpu.Current() {
	case cpu.AVX512:
		return reductionKernelsAVX512[r]
	case cpu.AVX2:
		return reductionKernelsAVX2[r]
	}
	return nil
}

// updateKernel updates n elements and tells whether the road in force has assembly for it. Its calls are direct,
// so that c need not live on the heap.
func updateKernel(kind updateKind, p, d, m, v *float32, n int, c *float32) bool {
	switch road := cpu.Current(); {
	case road == cpu.AVX512 && kind == updateSGD:
		sgdAVX512(p, d, m, v, n, c)
	case road == cpu.AVX512 && kind == updateMomentum:
		momentumAVX512(p, d, m, v, n, c)
	case road == cpu.AVX512 && kind == updateAdam:
		adamAVX512(p, d, m, v, n, c)
	case road == cpu.AVX512 && m == nil:
		rmsPropAVX512(p, d, m, v, n, c)
	case road == cpu.AVX512:
		rmsPropMomentumAVX512(p, d, m, v, n, c)
	case road == cpu.AVX2 && kind == updateSGD:
		sgdAVX2(p, d, m, v, n, c)
	case road == cpu.AVX2 && kind == updateMomentum:
		momentumAVX2(p, d, m, v, n, c)
	case road == cpu.AVX2 && kind == updateAdam:
		adamAVX2(p, d, m, v, n, c)
	case road == cpu.AVX2 && m == nil:
		rmsPropAVX2(p, d, m, v, n, c)
	case road == cpu.AVX2:
		rmsPropMomentumAVX2(p, d, m, v, n, c)
	default:
		return false
	}
	return true
}
