package nn_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// Layers are expressions on a graph, which keeps the first error. What comes out is an ordinary Gorgonia graph.
func Example() {
	g := graph.New(graph.Train)
	x := g.Input("x", 4, 3, 16, 16) // [N, C, H, W]
	h := nn.Conv2D{Filters: 8, Kernel: 4, Stride: 2, Pad: 1}.Apply(g, x)
	h = nn.LeakyReLU{Slope: 0.2}.Apply(g, h)
	h = nn.GlobalAvgPool{}.Apply(g, h)
	h = nn.Linear{Units: 5}.Apply(g, h)
	labels := g.Labels("labels", 4)
	if err := g.Err(); err != nil {
		log.Fatal(err) // names the layer, the shapes and the line
	}
	loss, err := ops.SoftmaxCrossEntropy(h, labels)
	if err != nil {
		log.Fatal(err)
	}
	variables, leaves := g.Trainable()
	gradients, err := graph.Differentiate(loss, leaves...)
	if err != nil {
		log.Fatal(err)
	}
	tape, err := graph.Compile(append(gorgonia.Nodes{loss}, gradients...), graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tape.Close()
	if err := gorgonia.Let(x, tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 3, 16, 16))); err != nil {
		log.Fatal(err)
	}
	if err := gorgonia.Let(labels, tensor.New(tensor.WithBacking([]int{0, 1, 2, 3}))); err != nil {
		log.Fatal(err)
	}
	if err := tape.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.4f\n", loss.Value().Data()) // ln 5: zeros look like every class
	for i, v := range variables {
		fmt.Println(v.Name, gradients[i].Value().Shape())
	}
	// Output:
	// loss 1.6094
	// conv2d.weight (8, 3, 4, 4)
	// conv2d.bias (8)
	// linear.weight (5, 8)
	// linear.bias (5)
}

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
