package metric_test

import (
	"fmt"

	"github.com/stheno-ml/stheno/train/metric"
)

func Example() {
	confusion, err := metric.NewConfusion(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Two batches of scores [N, 2] with their labels.
	for _, b := range []struct {
		scores []float32
		labels []int
	}{
		{[]float32{2, 1, 0, 3}, []int{0, 1}},
		{[]float32{5, 4}, []int{1}},
	} {
		if err := confusion.Add(b.scores, b.labels); err != nil {
			fmt.Println(err)
			return
		}
	}
	one := confusion.Class(1)
	fmt.Printf("accuracy %.3f, class 1: precision %.2f recall %.2f F1 %.3f\n", confusion.Value(), one.Precision, one.Recall, one.F1)
	// Output: accuracy 0.667, class 1: precision 1.00 recall 0.50 F1 0.667
}
