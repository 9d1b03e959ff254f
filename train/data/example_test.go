package data_test

import (
	"context"
	"fmt"

	"github.com/stheno-ml/stheno/train/data"
)

func ExampleLoader() {
	train, _, err := data.MNIST("")
	if err != nil {
		fmt.Println(err)
		return
	}
	loader, err := data.NewLoader(train, data.LoaderConfig{Batch: 64, Shuffle: true, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for batch, err := range loader.Epoch(context.Background(), 0, 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if batch.Number == loader.Batches()-1 {
			fmt.Println("last of", loader.Batches(), "batches:", batch.Images.Shape(), len(batch.Labels), "labels")
		}
	}
	// Output: last of 938 batches: (32, 1, 28, 28) 32 labels
}
