// Package train fits a model to a data set: one call, with progress, curves, logs, and the network's own
// running statistics kept right.
//
//	result, err := train.Fit(ctx, model, pictures, train.Config{
//		Epochs:    10,
//		Batch:     64,
//		Optimizer: optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4},
//		Schedule:  schedule.Cosine{Peak: 0.1},
//		Validate:  others,
//		Callbacks: []train.Callback{train.Progress(os.Stderr), train.CSV("log.csv")},
//	})
//
// The same seed gives the same weights, to the bit, whatever GOMAXPROCS is.
package train
