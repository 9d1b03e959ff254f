package labels_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stheno-ml/stheno/zoo/labels"
)

func ExampleTop() {
	top, err := labels.Top([]float32{0.1, 0.6, 0.3}, 2, []string{"cat", "beagle", "pug"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range top {
		fmt.Printf("%s (class %d): %.2f\n", l.Name, l.Index, l.Probability)
	}
	// Output:
	// beagle (class 1): 0.60
	// pug (class 2): 0.30
}

// TestNames checks counts and, here and there, the order: classes that are known from the challenge's synset list.
func TestNames(t *testing.T) {
	imagenet := labels.ImageNet()
	for i, want := range map[int]string{0: "tench, Tinca tinca", 134: "crane", 162: "beagle", 281: "tabby, tabby cat", 388: "giant panda, panda, panda bear, coon bear, Ailuropoda melanoleuca", 517: "crane", 948: "Granny Smith", 999: "toilet tissue, toilet paper, bathroom tissue"} {
		if imagenet[i] != want {
			t.Errorf("ImageNet %d is %q, want %q", i, imagenet[i], want)
		}
	}
	if n := len(imagenet); n != 1000 || slices.Contains(imagenet, "") {
		t.Errorf("ImageNet has %d names, want 1000, none empty", n)
	}
	fine := labels.CIFAR100()
	if len(fine) != 100 || !slices.IsSorted(fine) || len(slices.Compact(slices.Clone(fine))) != 100 {
		t.Errorf("CIFAR-100 has %d names, want 100 in alphabetical order, all different", len(fine))
	}
	if len(labels.CIFAR10()) != 10 {
		t.Error("CIFAR-10 has not 10 names")
	}
}

func TestTop(t *testing.T) {
	top, err := labels.Top([]float64{0.2, 0.3, 0.2, 0.3}, 9, nil)
	if err != nil {
		t.Fatal(err)
	}
	var order []int
	for _, l := range top {
		order = append(order, l.Index)
	}
	if !slices.Equal(order, []int{1, 3, 0, 2}) {
		t.Errorf("order %v, want equal ones by index", order)
	}
	for name, call := range map[string]func() ([]labels.Label, error){
		"names":  func() ([]labels.Label, error) { return labels.Top([]float64{1, 2}, 1, []string{"a"}) },
		"none":   func() ([]labels.Label, error) { return labels.Top([]float64{}, 1, nil) },
		"k of 0": func() ([]labels.Label, error) { return labels.Top([]float64{1}, 0, nil) },
		"NaN":    func() ([]labels.Label, error) { return labels.Top([]float64{1, math.NaN()}, 1, nil) },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSoftmax: scores beyond what exp can take still give probabilities.
func TestSoftmax(t *testing.T) {
	p := labels.Softmax([]float64{1000, 1000, 1000 + math.Log(2)})
	for i, want := range []float64{0.25, 0.25, 0.5} {
		if math.Abs(p[i]-want) > 1e-12 { // rounding of 1000 + log 2
			t.Errorf("%v", p)
		}
	}
}
