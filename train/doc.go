// Package train fits a model to a data set: one call, with progress, curves, logs, and the network's own
// running statistics kept right.
//
//	result, err := train.Fit(ctx, model, pictures, train.Config{
//		Epochs:    10,
//		Batch:     64,
//		Optimizer: optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4},
//		Schedule:  schedule.Cosine{Peak: 0.1},
//		Validate:  others,
//		Callbacks: []train.Callback{train.Progress(os.Stderr), train.CSV("log.csv"), &train.EarlyStopping{}},
//
//		Checkpoint: train.Checkpoint{Dir: "runs/pets"},
//		Resume:     "runs/pets", // after a crash, the same call goes on
//	})
//
// The same seed gives the same weights, to the bit, whatever GOMAXPROCS is, and a run that
// was killed at any moment and resumed ends with the weights of one that was not.
package train
