package zoo_test

import (
	"fmt"

	"github.com/stheno-ml/stheno/zoo"
)

// A ResNet for seven classes of grey pictures, with its first stages frozen for fine-tuning.
func ExampleNew() {
	m, err := zoo.New("resnet18", zoo.Config{Classes: 7, Channels: 1, InputSize: [2]int{96, 128}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Freeze("conv1", "bn1", "layer1"); err != nil {
		fmt.Println(err)
		return
	}
	stages, err := m.Stages()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Input, stages)
	fmt.Println(len(m.Store().Variables()), "variables,", len(m.Store().Trainable()), "of them to be trained")
	// Output:
	// [1 96 128] [stem layer1 layer2 layer3 layer4 features pooled]
	// 102 variables, 47 of them to be trained
}
