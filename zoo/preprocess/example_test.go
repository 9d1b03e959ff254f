package preprocess_test

import (
	"fmt"
	"image"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// The input of a network with torchvision's first weights for ResNet-50, of one black picture.
func ExampleConfig_Tensor() {
	c := preprocess.Torchvision(224, 256)
	x, err := c.Tensor(tensor.Float32, 3, image.NewGray(image.Rect(0, 0, 640, 480)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%v %.4f\n", x.Shape(), x.Float32s()[0]) // (0 − 0.485) / 0.229
	// Output: (1, 3, 224, 224) -2.1179
}
