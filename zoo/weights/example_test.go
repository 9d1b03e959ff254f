package weights_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/stheno-ml/stheno/zoo/weights"
	"gorgonia.org/tensor"
)

func Example() {
	dir, err := os.MkdirTemp("", "weights")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")
	bias := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{1, 2, 3}))
	if err := weights.Save(path, []weights.Named{{Name: "fc.bias", Value: bias}}, map[string]string{"epoch": "7"}); err != nil {
		fmt.Println(err)
		return
	}

	f, err := weights.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, t.Shape(), t.Float32s(), "of epoch", f.Metadata["epoch"])
	}
	// Output: fc.bias (3) [1 2 3] of epoch 7
}
