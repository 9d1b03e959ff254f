// Package metric measures generated pictures against real ones: Fréchet inception distance, kernel inception
// distance, inception score, precision and recall.
//
//	network, err := metric.Zoo(classifier, "pooled", 32)
//	cache := metric.Cache{Dir: "runs/statistics"}
//	real, err := cache.Get("faces-train", network, 10000, func(c *metric.Collector) error { return addFaces(ctx, c) })
//	c := metric.NewCollector(network)
//	err = c.Pictures(ctx, drawn) // batch after batch
//	fake, err := c.Stats()
//	fid, err := metric.FID(real, fake)
//	fmt.Println(fid) // FID 23.41 (10000 real, 10000 generated; resnet50/pooled 3×224×224 #5ad20c71e3f0)
//
// The figures depend on the network that makes the features, on its weights, on its preprocessing and on the number of
// pictures, and published ones are mostly of TensorFlow's Inception v3 with 50,000 pictures. A Result therefore says
// all of that, and statistics of different networks do not go together.
//
// Any function from pictures to features is a Network; Zoo and Model make one of a trained model.
package metric
