package zoo

import (
	"slices"

	"github.com/stheno-ml/stheno/nn"
)

// Info is what is published of a network.
type Info struct {
	Name      string  `json:"name"`
	Params    int64   `json:"params"`     // trained, without those of auxiliary heads
	AuxParams int64   `json:"aux_params"` // of auxiliary heads
	MACs      int64   `json:"macs"`       // multiply-adds of convolutions and linear layers for one picture
	Input     int     `json:"input"`      // height and width of pictures, in pixels
	Top1      float64 `json:"top1"`       // per cent right on ImageNet's (CIFAR-10's) validation set; 0: nothing published
	Paper     string  `json:"paper"`

	classes int
	latent  int // channels of a generator's input; 0 for networks that take pictures
	aux     []auxHead
}

// auxHead is a classifier on the way, for training.
type auxHead struct {
	scope  string  // of its variables, and its mark
	weight float64 // in the loss
}

// network is a row of a family's table: a struct that embeds Info.
type network interface {
	info() Info
	net(c Config) nn.Layer // c is complete
}

func (i Info) info() Info { return i }

// imagenet is the entry of a network with 1000 classes.
func imagenet(name string, input int, params, macs int64, top1 float64, paper string) Info {
	return Info{Name: name, Params: params, MACs: macs, Input: input, Top1: top1, Paper: paper, classes: 1000}
}

// withAux adds auxiliary heads of so many parameters.
func withAux(i Info, params int64, heads ...auxHead) Info {
	i.AuxParams, i.aux = params, heads
	return i
}

// table is all networks, family by family.
func table() []network {
	return slices.Concat(
		rows(resnets), rows(resnetV2s), rows(cifarResnets),
		rows(googlenets), rows(bnInceptions), rows(inceptionV3s), rows(inceptionV4s), rows(inceptionResnets),
		rows(xceptions),
		rows(generators), rows(discriminators),
		rows(vggs), rows(squeezenets), rows(mobilenets), rows(mobilenetV2s),
	)
}

func rows[T network](family []T) []network {
	all := make([]network, len(family))
	for i, r := range family {
		all[i] = r
	}
	return all
}

// aliases are other implementations' names for the same network with the same variables.
var aliases = map[string]string{
	"legacy_xception": "xception",
	"inception_v1":    "googlenet",
	"inception_v2":    "bn_inception",
	"resnet50v2":      "resnetv2_50",
	"resnet101v2":     "resnetv2_101",
	"resnet152v2":     "resnetv2_152",
}

func find(name string) network {
	if n, ok := aliases[name]; ok {
		name = n
	}
	for _, n := range table() {
		if n.info().Name == name {
			return n
		}
	}
	return nil
}

// Models lists all networks of the zoo.
func Models() []Info {
	var all []Info
	for _, n := range table() {
		all = append(all, n.info())
	}
	return all
}

// Names lists the names of all networks.
func Names() []string {
	var names []string
	for _, i := range Models() {
		names = append(names, i.Name)
	}
	return names
}
