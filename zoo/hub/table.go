package hub

import (
	"strings"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// Weights are published weights of a network of the zoo, with what belongs to them: weights are worth nothing
// with another preprocessing.
type Weights struct {
	Name    string // "resnet50", or "resnet50.v2" for further ones of the same network
	Network string // by its name in the zoo
	URL     string
	SHA256  string // or its first digits, or ""

	Preprocess preprocess.Config
	Top1       float64 // per cent right on ImageNet's validation set, as published; 0 where it is not
	License    string  // SPDX identifier of what the weights came with
}

const (
	torchvision = "https://download.pytorch.org/models/"
	timm        = "https://huggingface.co/timm/"
)

// tv is a file of torchvision, whose name ends with the first digits of its digest.
func tv(name, file string, top1 float64, p preprocess.Config) Weights {
	_, digits, _ := strings.Cut(strings.TrimSuffix(file, ".pth"), "-")
	network, _, _ := strings.Cut(name, ".")
	return Weights{Name: name, Network: network, URL: torchvision + file, SHA256: digits, Preprocess: p, Top1: top1, License: "BSD-3-Clause"}
}

// hf is a file of timm on the model hub: repository and, where it is known, the commit that it was added in.
func hf(network, repository, commit, sha256 string, top1 float64, p preprocess.Config) Weights {
	return Weights{Name: network, Network: network, URL: timm + repository + "/resolve/" + commit + "/model.safetensors",
		SHA256: sha256, Preprocess: p, Top1: top1, License: "Apache-2.0"}
}

// table is all weights. Addresses, accuracies and crops are those of torchvision 0.14.1 and timm (commit
// aa4b5850); digests of the model hub are those that its pages show. Of weights with tags in their names the ones
// without are torchvision's IMAGENET1K_V1, v2 is its IMAGENET1K_V2.
func table() []Weights {
	v1, v2 := preprocess.Torchvision(224, 256), preprocess.Torchvision(224, 232)
	return []Weights{
		tv("resnet18", "resnet18-f37072fd.pth", 69.758, v1),
		tv("resnet34", "resnet34-b627a593.pth", 73.314, v1),
		tv("resnet50", "resnet50-0676ba61.pth", 76.130, v1),
		tv("resnet50.v2", "resnet50-11ad3fa6.pth", 80.858, v2),
		tv("resnet101", "resnet101-63fe2227.pth", 77.374, v1),
		tv("resnet101.v2", "resnet101-cd907fc2.pth", 81.886, v2),
		tv("resnet152", "resnet152-394f9c45.pth", 78.312, v1),
		tv("resnet152.v2", "resnet152-f82ba261.pth", 82.284, v2),
		tv("resnext50_32x4d", "resnext50_32x4d-7cdf4587.pth", 77.618, v1),
		tv("resnext50_32x4d.v2", "resnext50_32x4d-1a0047aa.pth", 81.198, v2),
		tv("resnext101_32x8d", "resnext101_32x8d-8ba56ff5.pth", 79.312, v1),
		tv("resnext101_32x8d.v2", "resnext101_32x8d-110c445d.pth", 82.834, v2),
		tv("resnext101_64x4d", "resnext101_64x4d-173b62eb.pth", 83.246, v2),
		tv("wide_resnet50_2", "wide_resnet50_2-95faca4d.pth", 78.468, v1),
		tv("wide_resnet50_2.v2", "wide_resnet50_2-9ba9bcbe.pth", 81.602, v2),
		tv("wide_resnet101_2", "wide_resnet101_2-32ee1156.pth", 78.848, v1),
		tv("wide_resnet101_2.v2", "wide_resnet101_2-d733dc28.pth", 82.510, v2),
		tv("googlenet", "googlenet-1378be20.pth", 69.778, preprocess.TorchvisionInception(224, 256)),
		tv("inception_v3", "inception_v3_google-0cc3c7bd.pth", 77.294, preprocess.TorchvisionInception(299, 342)),
		tv("vgg11", "vgg11-8a719046.pth", 69.020, v1),
		tv("vgg11_bn", "vgg11_bn-6002323d.pth", 70.370, v1),
		tv("vgg13", "vgg13-19584684.pth", 69.928, v1),
		tv("vgg13_bn", "vgg13_bn-abd245e5.pth", 71.586, v1),
		tv("vgg16", "vgg16-397923af.pth", 71.592, v1),
		tv("vgg16_bn", "vgg16_bn-6c64b313.pth", 73.360, v1),
		tv("vgg19", "vgg19-dcbb9e9d.pth", 72.376, v1),
		tv("vgg19_bn", "vgg19_bn-c79401a0.pth", 74.218, v1),
		tv("squeezenet1_0", "squeezenet1_0-b66bff10.pth", 58.092, v1),
		tv("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", 58.178, v1),
		tv("mobilenet_v2", "mobilenet_v2-b0353104.pth", 71.878, v1),
		tv("mobilenet_v2.v2", "mobilenet_v2-7ebf99e0.pth", 72.154, v2),
		hf("inception_v4", "inception_v4.tf_in1k", "24edbb8f3ca9aab790ab91929a4101165581b168",
			"a756a086851c8d5a8de135ec15c76b90ea56cb5aef450e3299107e659e725bb1", 0, preprocess.TimmInception()),
		hf("inception_resnet_v2", "inception_resnet_v2.tf_in1k", "548a334e1afd3b398b4be37c89972dfb24d707aa",
			"dbea26b13a5fc8351919fed6a94222c0577ce324b2765fd081a798f837ca9d72", 0, preprocess.TimmXception()),
		hf("resnetv2_50", "resnetv2_50.a1h_in1k", "dcfd4fecb72889c1ce9fd9f7e5b75f8043889864", "", 0, preprocess.TimmResNetV2()),
		hf("resnetv2_101", "resnetv2_101.a1h_in1k", "main", "", 0, preprocess.TimmResNetV2()),
		{
			Name: "xception", Network: "xception", SHA256: "43020ad28", Top1: 78.892, License: "Apache-2.0", Preprocess: preprocess.TimmXception(),
			URL: "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
		},
	}
}

// All lists all weights.
func All() []Weights { return table() }

// Find is the weights of a name.
func Find(name string) (Weights, error) {
	var of []string
	network, _, _ := strings.Cut(name, ".")
	for _, w := range table() {
		if w.Name == name {
			return w, nil
		}
		if w.Network == network {
			of = append(of, w.Name)
		}
	}
	if len(of) > 0 {
		return Weights{}, errors.Errorf("hub: no weights %q; of this network there are %s", name, strings.Join(of, ", "))
	}
	return Weights{}, errors.Errorf("hub: no weights of a network %q are known", network)
}
