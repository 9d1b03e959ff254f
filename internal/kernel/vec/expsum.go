package vec

// ExpSum is Σ exp(x[i] − shift), accumulated in float64 on the calling goroutine.
func ExpSum[T Float](x []T, shift T) float64 { return reducePart(redExpSum, x, nil, shift) }
