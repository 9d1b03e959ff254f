package weights

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// KerasResNet knows the layers of keras.applications.resnet: resnet50_keras, resnet101_keras, resnet152_keras.
func KerasResNet(layers []string) map[string]string {
	return stages(byRules(layers,
		rule{`conv1_conv`, "conv1"}, rule{`conv1_bn`, "bn1"},
		rule{`conv(\d)_block(\d+)_0_conv`, "layer$1 $2 downsample.0"}, rule{`conv(\d)_block(\d+)_0_bn`, "layer$1 $2 downsample.1"},
		rule{`conv(\d)_block(\d+)_(\d)_(conv|bn)`, "layer$1 $2 $4$3"},
		rule{`predictions|probs|fc1000`, "fc"}), 1)
}

// KerasResNetV2 knows the layers of keras.applications.resnet_v2: resnet50v2_keras, resnet101v2_keras,
// resnet152v2_keras.
func KerasResNetV2(layers []string) map[string]string {
	return stages(byRules(layers,
		rule{`conv1_conv`, "stem.conv"}, rule{`post_bn`, "norm"},
		rule{`conv(\d)_block(\d+)_preact_bn`, "stages.$1 $2 norm1"}, rule{`conv(\d)_block(\d+)_0_conv`, "stages.$1 $2 downsample.conv"},
		rule{`conv(\d)_block(\d+)_1_bn`, "stages.$1 $2 norm2"}, rule{`conv(\d)_block(\d+)_2_bn`, "stages.$1 $2 norm3"},
		rule{`conv(\d)_block(\d+)_(\d)_conv`, "stages.$1 $2 conv$3"},
		rule{`predictions|probs`, "head.fc"}), 2)
}

// stages makes layer1.0.conv1 of "layer2 1 conv1": Keras counts the stem as the first stage and blocks from 1 on.
func stages(scopes map[string]string, stem int) map[string]string {
	for l, s := range scopes {
		parts := strings.Split(s, " ")
		if len(parts) != 3 {
			continue
		}
		last := len(parts[0]) - 1
		block, err := strconv.Atoi(parts[1])
		if err != nil || int(parts[0][last]-'0') < stem || block < 1 {
			delete(scopes, l)
			continue
		}
		stage := parts[0][:last] + strconv.Itoa(int(parts[0][last]-'0')-stem)
		if strings.HasPrefix(stage, "stages.") {
			stage += ".blocks"
		}
		scopes[l] = fmt.Sprintf("%s.%d.%s", stage, block-1, parts[2])
	}
	return scopes
}

// KerasInceptionV3 knows the layers of keras.applications.inception_v3: inception_v3_keras. They have no names
// but those that Keras counted; their order is that of the convolutions in its source.
func KerasInceptionV3(layers []string) map[string]string {
	convs := strings.Fields("Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3")
	add := func(block string, branches ...string) {
		for _, b := range branches {
			convs = append(convs, block+"."+b)
		}
	}
	for _, block := range []string{"Mixed_5b", "Mixed_5c", "Mixed_5d"} {
		add(block, "branch1x1", "branch5x5_1", "branch5x5_2", "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3", "branch_pool")
	}
	add("Mixed_6a", "branch3x3", "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
	for _, block := range []string{"Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"} {
		add(block, "branch1x1", "branch7x7_1", "branch7x7_2", "branch7x7_3",
			"branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5", "branch_pool")
	}
	add("Mixed_7a", "branch3x3_1", "branch3x3_2", "branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4")
	for _, block := range []string{"Mixed_7b", "Mixed_7c"} {
		add(block, "branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b",
			"branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b", "branch_pool")
	}
	scopes := byRules(layers, rule{`predictions`, "fc"})
	nameCounted(scopes, layers, convs)
	return scopes
}

// KerasInceptionResNetV2 knows the layers of keras.applications.inception_resnet_v2: inception_resnet_v2_keras. Most
// have no names but those that Keras counted, in the order of its source.
func KerasInceptionResNetV2(layers []string) map[string]string {
	convs := strings.Fields("conv2d_1a conv2d_2a conv2d_2b conv2d_3b conv2d_4a")
	add := func(block string, branches ...string) {
		for _, b := range branches {
			convs = append(convs, block+"."+b)
		}
	}
	scopes := byRules(layers, rule{`conv_7b`, "conv2d_7b.conv"}, rule{`conv_7b_bn`, "conv2d_7b.bn"}, rule{`predictions`, "classif"})
	add("mixed_5b", "branch0", "branch1.0", "branch1.1", "branch2.0", "branch2.1", "branch2.2", "branch3.1")
	for i := range 10 {
		block := fmt.Sprintf("repeat.%d", i)
		add(block, "branch0", "branch1.0", "branch1.1", "branch2.0", "branch2.1", "branch2.2")
		scopes[fmt.Sprintf("block35_%d_conv", i+1)] = block + ".conv2d"
	}
	add("mixed_6a", "branch0", "branch1.0", "branch1.1", "branch1.2")
	for i := range 20 {
		block := fmt.Sprintf("repeat_1.%d", i)
		add(block, "branch0", "branch1.0", "branch1.1", "branch1.2")
		scopes[fmt.Sprintf("block17_%d_conv", i+1)] = block + ".conv2d"
	}
	add("mixed_7a", "branch0.0", "branch0.1", "branch1.0", "branch1.1", "branch2.0", "branch2.1", "branch2.2")
	for i := range 10 {
		block := fmt.Sprintf("repeat_2.%d", i)
		if i == 9 {
			block = "block8"
		}
		add(block, "branch0", "branch1.0", "branch1.1", "branch1.2")
		scopes[fmt.Sprintf("block8_%d_conv", i+1)] = block + ".conv2d"
	}
	nameCounted(scopes, layers, convs)
	return scopes
}

// nameCounted gives the convolutions that Keras counted, and their batch norms, the scopes NAME.conv and NAME.bn.
func nameCounted(scopes map[string]string, layers, convs []string) {
	for kind, here := range map[string]string{"conv2d": ".conv", "batch_normalization": ".bn"} {
		for i, l := range counted(layers, kind) {
			if i < len(convs) {
				scopes[l] = convs[i] + here
			}
		}
	}
}

// KerasVGG knows the layers of keras.applications.vgg16 and vgg19: vgg16_keras and vgg19_keras, for pictures of
// 224×224.
func KerasVGG(layers []string) map[string]string {
	scopes := byRules(layers, rule{`fc1`, "classifier.0 7 7"}, rule{`fc2`, "classifier.3"}, rule{`predictions`, "classifier.6"})
	at := 0 // in torchvision's list; a ReLU follows each convolution, a pooling each block
	for block := 1; block <= 5; block++ {
		for conv := 1; slices.Contains(layers, fmt.Sprintf("block%d_conv%d", block, conv)); conv++ {
			scopes[fmt.Sprintf("block%d_conv%d", block, conv)] = fmt.Sprintf("features.%d", at)
			at += 2
		}
		at++
	}
	return scopes
}

// keras1 are the names that Keras 1 gave to layers of a kind.
var keras1 = map[string]string{"conv2d": "convolution2d", "batch_normalization": "batchnormalization"}

// counted is the layers that Keras named kind, kind_1, …, in the order in which they were made. The first
// number is not always 0: Keras counts over all models of a program.
func counted(layers []string, kind string) []string {
	number := func(l string) int {
		if rest, ok := strings.CutPrefix(l, keras1[kind]+"_"); ok {
			l = kind + "_" + rest
		}
		if l == kind {
			return 0
		}
		rest, ok := strings.CutPrefix(l, kind+"_")
		n, err := strconv.Atoi(rest)
		if !ok || err != nil {
			return -1
		}
		return n
	}
	var found []string
	for _, l := range layers {
		if number(l) >= 0 {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return number(a) - number(b) })
	return found
}

// KerasXception knows the layers of keras.applications.xception: xception_keras. The shortcuts' convolutions
// have no names but those that Keras counted.
func KerasXception(layers []string) map[string]string {
	scopes := byRules(layers,
		rule{`block1_conv1`, "conv1"}, rule{`block1_conv1_bn`, "bn1"}, rule{`block1_conv2`, "conv2"}, rule{`block1_conv2_bn`, "bn2"},
		rule{`block14_sepconv1`, "conv3"}, rule{`block14_sepconv1_bn`, "bn3"}, rule{`block14_sepconv2`, "conv4"}, rule{`block14_sepconv2_bn`, "bn4"},
		rule{`predictions`, "fc"})
	for block := 2; block <= 13; block++ {
		first := 1 // in the list of a block's layers; a ReLU comes before
		if block == 2 {
			first = 0
		}
		for k := range 3 {
			conv := fmt.Sprintf("block%d_sepconv%d", block, k+1)
			scopes[conv] = fmt.Sprintf("block%d.rep.%d", block-1, first+3*k)
			scopes[conv+"_bn"] = fmt.Sprintf("block%d.rep.%d", block-1, first+3*k+1)
		}
	}
	shortcuts := []string{"block1", "block2", "block3", "block12"}
	for i, l := range counted(layers, "conv2d") {
		if i < len(shortcuts) {
			scopes[l] = shortcuts[i] + ".skip"
		}
	}
	for i, l := range counted(layers, "batch_normalization") {
		if i < len(shortcuts) {
			scopes[l] = shortcuts[i] + ".skipbn"
		}
	}
	return scopes
}

// KerasMobileNet knows the layers of keras.applications.mobilenet: mobilenet_v1_keras. Its classifier is
// a 1×1 convolution.
func KerasMobileNet(layers []string) map[string]string {
	scopes := byRules(layers, rule{`conv1`, "conv_stem"}, rule{`conv1_bn`, "bn1"}, rule{`conv_preds|predictions`, "classifier"})
	number := 1
	for stage, blocks := range []int{1, 2, 2, 6, 2} {
		for k := range blocks {
			block := fmt.Sprintf("blocks.%d.%d.", stage, k)
			for keras, here := range map[string]string{"conv_dw_%d": "conv_dw", "conv_dw_%d_bn": "bn1", "conv_pw_%d": "conv_pw", "conv_pw_%d_bn": "bn2"} {
				scopes[fmt.Sprintf(keras, number)] = block + here
			}
			number++
		}
	}
	return scopes
}

// KerasMobileNetV2 knows the layers of keras.applications.mobilenet_v2: mobilenet_v2_keras.
func KerasMobileNetV2(layers []string) map[string]string {
	scopes := byRules(layers,
		rule{`Conv1`, "features.0.0"}, rule{`bn_Conv1|Conv1_bn`, "features.0.1"},
		rule{`expanded_conv_depthwise`, "features.1.conv.0.0"}, rule{`expanded_conv_depthwise_BN`, "features.1.conv.0.1"},
		rule{`expanded_conv_project`, "features.1.conv.1"}, rule{`expanded_conv_project_BN`, "features.1.conv.2"},
		rule{`Conv_1`, "features.18.0"}, rule{`Conv_1_bn`, "features.18.1"},
		rule{`predictions|Logits`, "classifier.1"})
	for block := 1; block <= 16; block++ {
		for keras, here := range map[string]string{"expand": "0.0", "expand_BN": "0.1", "depthwise": "1.0", "depthwise_BN": "1.1", "project": "2", "project_BN": "3"} {
			scopes[fmt.Sprintf("block_%d_%s", block, keras)] = fmt.Sprintf("features.%d.conv.%s", block+1, here)
		}
	}
	return scopes
}
