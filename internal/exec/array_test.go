package exec

import (
	"testing"

	"gorgonia.org/tensor"
)

func TestFromValueReadsViewsInAxisOrder(t *testing.T) {
	x := tensor.New(tensor.WithShape(3, 4), tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
	transposed := x.Clone().(*tensor.Dense)
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	column, err := x.Slice(nil, tensor.S(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := x.Slice(tensor.S(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		v    *tensor.Dense
		want []float32
	}{
		{"whole", x, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"transposed", transposed, []float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
		{"columns", column.(*tensor.Dense), []float32{1, 2, 5, 6, 9, 10}},
		{"rows", rows.(*tensor.Dense), []float32{4, 5, 6, 7, 8, 9, 10, 11}},
	} {
		a, err := FromValue(c.v)
		if err != nil {
			t.Fatal(c.name, err)
		}
		got := Data[float32](&a)
		if len(got) != len(c.want) {
			t.Fatalf("%s: %v, want %v", c.name, got, c.want)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Fatalf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}
