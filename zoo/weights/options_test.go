package weights_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// small is a network with a body and a head.
func small(t *testing.T, head string, classes int, seed uint64) *nn.Model {
	t.Helper()
	m, err := nn.NewModel(nn.Sequential{
		nn.Conv2D{Name: "body.conv", Filters: 2, Kernel: 1}, nn.BatchNorm{Name: "body.bn"}, nn.GlobalAvgPool{},
		nn.Linear{Name: head, Units: classes},
	}, []int{1, 2, 2}, nn.ModelConfig{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func values(m *nn.Model) map[string][]float32 {
	all := make(map[string][]float32)
	for _, v := range m.Store().Variables() {
		all[v.Name] = slices.Clone(v.Value.Float32s())
	}
	return all
}

// TestOptions loads a file into networks that differ from it.
func TestOptions(t *testing.T) {
	source := small(t, "fc", 5, 1)
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.SaveStore(path, source.Store(), nil); err != nil {
		t.Fatal(err)
	}
	prefixed := func(name string) string { return strings.TrimPrefix(name, "body.") }
	for _, c := range []struct {
		name    string
		head    string
		classes int
		options []weights.Option
		err     string   // "" for none
		kept    []string // scopes that stay as they were
	}{
		{name: "same", head: "fc", classes: 5},
		{name: "other classes", head: "fc", classes: 3, err: "other shapes: fc."},
		{name: "other head", head: "classifier.6", classes: 5, err: "the file lacks: classifier.6."},
		{name: "skip head", head: "fc", classes: 3, options: []weights.Option{weights.SkipHead()}, kept: []string{"fc"}},
		{name: "skip head, same classes", head: "fc", classes: 5, options: []weights.Option{weights.SkipHead()}, kept: []string{"fc"}},
		{name: "skip scope", head: "fc", classes: 5, options: []weights.Option{weights.Skip("body.bn", "fc.bias")}, kept: []string{"body.bn", "fc.bias"}},
		{name: "skip is by scope", head: "fc", classes: 3, options: []weights.Option{weights.Skip("f")}, err: "other shapes: fc."},
		{name: "skip all", head: "fc", classes: 3, options: []weights.Option{weights.Skip("")}, err: "nothing of it"},
		{name: "no known head", head: "top", classes: 3, options: []weights.Option{weights.SkipHead(), weights.Rename(func(n string) string { return strings.Replace(n, "fc", "top", 1) })}, err: "no head by a known name"},
		{name: "partial", head: "top", classes: 3, options: []weights.Option{weights.Partial()}, kept: []string{"top"}},
		{name: "partial, other shape", head: "fc", classes: 3, options: []weights.Option{weights.Partial()}, err: "other shapes"},
		{name: "partial, nothing", head: "fc", classes: 5, options: []weights.Option{weights.Partial(), weights.Rename(func(n string) string { return "x." + n })}, err: "nothing of it"},
		{name: "rename", head: "top", classes: 5, options: []weights.Option{weights.Rename(func(n string) string { return strings.Replace(n, "fc.", "top.", 1) })}},
		{name: "rename away", head: "fc", classes: 5, options: []weights.Option{weights.Rename(func(n string) string {
			if strings.HasPrefix(n, "fc") {
				return ""
			}
			return n
		}), weights.Partial()}, kept: []string{"fc"}},
		{name: "rename to the same", head: "fc", classes: 5, options: []weights.Option{weights.Rename(func(string) string { return "a" })}, err: "renamed to"},
		{name: "rename twice", head: "fc", classes: 5, options: []weights.Option{weights.Rename(prefixed), weights.Rename(func(n string) string {
			if strings.HasPrefix(n, "fc") {
				return n
			}
			return "body." + n
		})}},
	} {
		m := small(t, c.head, c.classes, 2)
		before := values(m)
		err := weights.LoadStore(path, m.Store(), c.options...)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			continue
		}
		for name, after := range values(m) {
			kept := err != nil || slices.ContainsFunc(c.kept, func(s string) bool { return name == s || strings.HasPrefix(name, s+".") })
			want := before[name]
			if !kept {
				want = source.Store().Get(strings.Replace(name, "top.", "fc.", 1)).Value.Float32s()
			}
			if !slices.Equal(after, want) {
				t.Errorf("%s: %s is %v, want %v", c.name, name, after, want)
			}
		}
	}
}

// TestMismatch wants all three lists, in full.
func TestMismatch(t *testing.T) {
	one := tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{1}))
	var b bytes.Buffer
	if err := weights.Write(&b, []weights.Named{{Name: "extra", Value: one}, {Name: "body.conv.bias", Value: one}, {Name: "body.bn.num_batches_tracked", Value: one}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := weights.NewFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var m *weights.Mismatch
	if err := f.LoadStore(small(t, "fc", 5, 1).Store()); !errors.As(err, &m) {
		t.Fatalf("error %v, want a mismatch", err)
	}
	if !slices.Equal(m.Surplus, []string{"extra"}) || len(m.Missing) != 7 || !slices.Equal(m.Shapes, []string{"body.conv.bias: file (1), network (2)"}) {
		t.Errorf("%+v", m)
	}
}

// TestSkipHead takes a network of every family, auxiliary heads included: weights for other classes fit after
// SkipHead, and so only what depends on the classes was skipped.
func TestSkipHead(t *testing.T) {
	names := []string{
		"resnet18", "cifar_resnet20", "resnetv2_50", "googlenet", "googlenet_bvlc", "bn_inception", "inception_v3", "inception_v4",
		"facenet", "inception_resnet_v2", "xception_small", "squeezenet1_1", "mobilenet_v1", "mobilenet_v2", "vgg11",
	}
	for _, name := range names {
		if testing.Short() && name == "vgg11" {
			continue // 129 million variables
		}
		c := zoo.Config{Classes: 3, Aux: true}
		a, err := zoo.New(name, c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var file kerasFile // zeros of the same names and shapes
		shapes := make(map[string]tensor.Shape)
		for _, v := range a.Store().Variables() {
			file.add(v.Name, v.Value.Shape()...)
			shapes[v.Name] = v.Value.Shape()
		}
		c.Classes = 5
		b, err := zoo.New(name, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.open(t).LoadStore(b.Store(), weights.SkipHead()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, v := range b.Store().Variables() {
			zero := slices.Max(v.Value.Float32s()) == 0 && slices.Min(v.Value.Float32s()) == 0
			head := !v.Value.Shape().Eq(shapes[v.Name])
			if bias := strings.HasSuffix(v.Name, ".bias"); !bias && zero == head {
				t.Errorf("%s: %s is of the head: %v; loaded: %v", name, v.Name, head, zero)
			}
		}
	}
}
