package augment_test

import (
	"fmt"
	"image"
	"math/rand/v2"

	"github.com/stheno-ml/stheno/train/augment"
)

func Example() {
	pipeline := augment.Pipeline{
		Channels: 3, Height: 32, Width: 32,
		Ops: []augment.Op{
			augment.RandomCrop{Height: 32, Width: 32, Padding: 4},
			augment.RandomHorizontalFlip{},
			augment.RandAugment{},
		},
		Floats: []augment.FloatOp{augment.ImageNet, augment.RandomErasing{P: 0.25}},
	}
	x := make([]float32, 3*32*32)
	err := pipeline.Apply(x, image.NewGray(image.Rect(0, 0, 32, 32)), rand.New(rand.NewPCG(1, 2)))
	fmt.Println(pipeline.Shape(), err)
	// Output: [3 32 32] <nil>
}
