package nn_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

func ExampleModel() {
	net := nn.Sequential{
		nn.Conv2D{Name: "conv", Filters: 8, Kernel: 3, Stride: 2, Pad: 1, NoBias: true},
		nn.BatchNorm{Name: "bn"},
		nn.ReLU{},
		nn.GlobalAvgPool{},
		nn.Linear{Name: "fc", Units: 10},
	}
	model, err := nn.NewModel(net, []int{3, 32, 32}, nn.ModelConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if err := model.Summary(os.Stdout); err != nil {
		log.Fatal(err)
	}
	pictures := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 3, 32, 32))
	logits, err := model.Predict(context.Background(), pictures)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("logits", logits.Shape())
	// Output:
	// layer                kind                 output          parameters  multiply-adds
	// conv                 conv2d               (1, 8, 16, 16)  216         55,296
	// bn                   batch norm           (1, 8, 16, 16)  16          0
	// relu                 relu                 (1, 8, 16, 16)  0           0
	// global average pool  global average pool  (1, 8)          0           0
	// fc                   linear               (1, 10)         90          80
	// total                                                     322         55,376
	// 322 trainable, 0 frozen, 16 running statistics
	// logits (4, 10)
}
