// Package gan trains a generator against a discriminator (Goodfellow et al. 2014), on any set of pictures.
//
//	pair := gan.Pair{Size: 64}
//	generator, discriminator, err := pair.New()
//	run, err := gan.Fit(ctx, generator, discriminator, pictures, gan.Config{
//		Epochs:    20,
//		Callbacks: []gan.Callback{gan.Progress(os.Stderr), gan.Sheets("runs/faces"), gan.CSV("runs/faces/log.csv")},
//	})
//	err = gan.Save("generator.safetensors", pair, run.Generator, nil)
//
// Pair is DCGAN's pair of the zoo (Radford, Metz and Chintala 2016) for 8 to 1,024 pixels, with a choice of norms,
// spectral norm and classes; Fit takes any other two models as well.
//
// One step is the discriminator's and then, each Config.Critics-th time, the generator's. Real and generated
// pictures go through the discriminator one after the other, each with batch statistics of its own. The
// generator's step takes the pictures that the discriminator has just learnt from: they are computed once, and
// the gradient comes back into the graph that made them.
//
// The same seed gives the same weights, to the bit, whatever GOMAXPROCS is, and a run that was killed at any
// moment and resumed ends with the weights of one that was not.
package gan
