package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"
)

// TestForeignFormats wants every file that PyTorch and NumPy wrote to hold the same bits as the safetensors file
// that was written by hand beside it.
func TestForeignFormats(t *testing.T) {
	want, err := Open("testdata/views.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, name := range []string{"dict.pth", "legacy.pth", "protocol4.pth", "protocol4legacy.pth", "checkpoint.pth", "arrays.npz", "packed.npz"} {
		f, err := Open(filepath.Join("testdata", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer f.Close()
		seen := 0
		for _, tensorName := range want.Names() {
			w, _ := want.Info(tensorName)
			if strings.HasSuffix(name, ".npz") && w.DType == BF16 {
				continue
			}
			seen++
			got, ok := f.Info(tensorName)
			if !ok || got.DType != w.DType || !sameShape(got.Shape, w.Shape) {
				t.Errorf("%s: %q is %s %v, want %s %v", name, tensorName, got.DType, got.Shape, w.DType, w.Shape)
				continue
			}
			if w.Elements() > 0 {
				sameBits(t, name+": "+tensorName, mustTensor(t, f, tensorName), mustTensor(t, want, tensorName))
			}
			if _, float := asFloat32[w.DType]; float && w.Elements() > 0 {
				a, err := f.TensorAs(tensorName, tensor.Float64)
				if err != nil {
					t.Fatal(err)
				}
				b, err := want.TensorAs(tensorName, tensor.Float64)
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, name+": as float64: "+tensorName, a, b)
			}
		}
		if len(f.Names()) != seen {
			t.Errorf("%s: %d tensors, want %d: %v", name, len(f.Names()), seen, f.Names())
		}
	}
}

func TestModuleRefused(t *testing.T) {
	_, err := Open("testdata/module.pth")
	if err == nil || !strings.Contains(err.Error(), "torch.nn.modules.linear.Linear") || !strings.Contains(err.Error(), "state_dict") {
		t.Errorf("error %v, want one that names the class and the way out", err)
	}
}

// torchZip is a file of torch.save with a given pickle and the storages "0", "1", ….
func torchZip(t *testing.T, pickle string, storages ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add("data.pkl", []byte(pickle))
	for i, s := range storages {
		add("data/"+string(rune('0'+i)), s)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Pieces of pickles.
const (
	floats    = "ctorch\nFloatStorage\n"
	rebuildV2 = "ctorch._utils\n_rebuild_tensor_v2\n"
	tail      = "\x89ccollections\nOrderedDict\n)RtR" // requires_grad, hooks, the call
)

func pickled(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}
func storageOf(n string) string {
	return "(" + pickled("storage") + floats + pickled("0") + pickled("cpu") + n + "tQ"
}
func dictOf(value string) string { return "\x80\x02}" + pickled("w") + value + "s." }
func tensorOf(count, offset, shape, strides string) string {
	return rebuildV2 + "(" + storageOf(count) + offset + shape + strides + tail
}

func TestHostileTorch(t *testing.T) {
	four := make([]byte, 16)
	long := func(v int64) string { return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(v))) }
	ok := torchZip(t, dictOf(tensorOf("K\x04", "K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86")), four)
	if f, err := parse(ok); err != nil {
		t.Fatalf("honest file: %v", err)
	} else if got := mustTensor(t, f, "w"); !sameShape(got.Shape(), tensor.Shape{2, 2}) {
		t.Errorf("shape %v", got.Shape())
	}
	one := func(count, offset, shape, strides string) []byte {
		return torchZip(t, dictOf(tensorOf(count, offset, shape, strides)), four)
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"runs a program":    {torchZip(t, "\x80\x02cos\nsystem\n"+pickled("id")+"\x85R."), "os.system"},
		"runs, stack":       {torchZip(t, "\x80\x04"+pickled("builtins")+pickled("eval")+"\x93"+pickled("1")+"\x85R."), "builtins.eval"},
		"runs, instance":    {torchZip(t, "\x80\x02(iposix\nsystem\n."), "no tensor needs it"},
		"runs, object":      {torchZip(t, "\x80\x02cos\nsystem\n)\x81."), "os.system"},
		"extension":         {torchZip(t, "\x80\x02\x82\x01."), "no tensor needs it"},
		"empty":             {torchZip(t, ""), "EOF"},
		"no end":            {torchZip(t, "\x80\x02}"), "EOF"},
		"stack empty":       {torchZip(t, "\x80\x020."), "empty"},
		"no mark":           {torchZip(t, "\x80\x02t."), "no mark"},
		"mark for a value":  {torchZip(t, "\x80\x02(."), "mark"},
		"memo":              {torchZip(t, "\x80\x02h\x07."), "remembered"},
		"protocol":          {torchZip(t, "\x80\x63."), "protocol"},
		"long string":       {torchZip(t, "\x80\x02X\xff\xff\xff\xff"), "string of"},
		"longer string":     {torchZip(t, "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "string of"},
		"string past end":   {torchZip(t, "\x80\x02X\x00\x00\x00\x03ab"), "EOF"},
		"a list":            {torchZip(t, "\x80\x02]."), "list"},
		"cyclic list":       {torchZip(t, "\x80\x02]q\x00h\x00a."), "list"},
		"cyclic dict":       {torchZip(t, "\x80\x02}q\x00"+pickled("state_dict")+"h\x00s."), "no state dict"},
		"empty dict":        {torchZip(t, "\x80\x02}."), "no state dict"},
		"odd items":         {torchZip(t, "\x80\x02}(Nu."), "key without value"},
		"items into int":    {torchZip(t, "\x80\x02K\x01NNs."), "not a dict"},
		"append to int":     {torchZip(t, "\x80\x02K\x01Na."), "not a list"},
		"endless":           {torchZip(t, "\x80\x02"+strings.Repeat("N0", maxSteps)), "instructions"},
		"exponential":       {torchZip(t, "\x80\x02)"+strings.Repeat("2\x86", 100)+"Q."), "not a storage"},
		"storage missing":   {torchZip(t, dictOf(tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"))), "no bytes"},
		"storage short":     {one("K\x05", "K\x00", "K\x05\x85", "K\x01\x85"), "too few"},
		"storage huge":      {one(long(1<<62), "K\x00", "K\x01\x85", "K\x01\x85"), "not read"},
		"storage negative":  {one("J\xff\xff\xff\xff", "K\x00", "K\x01\x85", "K\x01\x85"), "not read"},
		"shape huge":        {one("K\x04", "K\x00", long(1<<62)+long(1<<62)+"\x86", "K\x01K\x01\x86"), "more elements"},
		"shape past end":    {one("K\x04", "K\x00", "K\x05\x85", "K\x01\x85"), "20 bytes"},
		"shape negative":    {one("K\x04", "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"), "more elements"},
		"offset":            {one("K\x04", "K\x01", "K\x04\x85", "K\x01\x85"), "reaches out"},
		"offset huge":       {one("K\x04", long(1<<62), "K\x04\x85", "K\x01\x85"), "do not fit"},
		"offset negative":   {one("K\x04", "J\xff\xff\xff\xff", "K\x04\x85", "K\x01\x85"), "do not fit"},
		"stride":            {one("K\x04", "K\x00", "K\x02K\x02\x86", "K\x03K\x01\x86"), "reaches out"},
		"stride huge":       {one("K\x04", "K\x00", "K\x02\x85", long(1<<62)+"\x85"), "reaches out"},
		"stride negative":   {one("K\x04", "K\x03", "K\x02\x85", "J\xff\xff\xff\xff\x85"), "reaches out"},
		"stride 0, many":    {one("K\x04", "K\x00", "J\x00\x00\x00\x10\x85", "K\x00\x85"), "bytes"},
		"strides too few":   {one("K\x04", "K\x00", "K\x02K\x02\x86", "K\x01\x85"), "strides"},
		"shape of strings":  {one("K\x04", "K\x00", pickled("a")+"\x85", "K\x01\x85"), "do not fit"},
		"name not string":   {torchZip(t, "\x80\x02}K\x01"+tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85")+"s.", four), "named by"},
		"name twice":        {torchZip(t, "\x80\x02}("+strings.Repeat(pickled("w")+tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), 2)+"u.", four), "two tensors"},
		"quantised":         {torchZip(t, dictOf("ctorch._utils\n_rebuild_qtensor\n)R")), "_rebuild_qtensor"},
		"complex":           {torchZip(t, dictOf(strings.Replace(tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), "FloatStorage", "ComplexFloatStorage", 1)), four), "not read"},
		"many from one":     {manyViews(t), "more than 64 times"},
		"zip without dict":  {zipOf(t, "readme", "x"), "0 pickles"},
		"zip cut":           {ok[:len(ok)-9], "zip"},
		"legacy, cut":       {[]byte("\x80\x02" + magic), "EOF"},
		"legacy, version":   {[]byte("\x80\x02" + magic + "\x80\x02K\x01.\x80\x02}.\x80\x02}.\x80\x02]."), "version"},
		"legacy, no tensor": {[]byte("\x80\x02" + magic + "\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}.\x80\x02]."), "no state dict"},
		"legacy, key":       {[]byte("\x80\x02" + magic + "\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}.\x80\x02]" + pickled("7") + "a."), "unknown"},
		"legacy, count": {[]byte("\x80\x02" + magic + "\x80\x02M\xe9\x03.\x80\x02}." +
			dictOf(tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85")) + "\x80\x02]" + pickled("0") + "a.\x05\x00\x00\x00\x00\x00\x00\x00"), "damaged"},
		"legacy, no bytes": {[]byte("\x80\x02" + magic + "\x80\x02M\xe9\x03.\x80\x02}." +
			dictOf(tensorOf("K\x04", "K\x00", "K\x04\x85", "K\x01\x85")) + "\x80\x02]."), "not in the file"},
		"HDF5": {[]byte("\x89HDF\r\n\x1a\n"), "superblock"},
	} {
		if _, err := parse(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// manyViews has 2000 tensors that share 64 KB.
func manyViews(t *testing.T) []byte {
	view := tensorOf("M\x00\x40", "K\x00", "M\x00\x40\x85", "K\x01\x85")
	p := "\x80\x02}(" + pickled("000") + view + "q\x01"
	for i := 1; i < 2000; i++ {
		p += pickled(string([]byte{byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10)})) + "h\x01"
	}
	return torchZip(t, p+"u.", make([]byte, 1<<16))
}

func zipOf(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func npy(header string, data int) string {
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(header)))) + header + string(make([]byte, data))
}

func TestHostileNumPy(t *testing.T) {
	for name, c := range map[string]struct{ b, want string }{
		"objects":      {npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8), "not read"},
		"big-endian":   {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4), "not read"},
		"structure":    {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4), "unexpected"},
		"no shape":     {npy("{'descr': '<f4', 'fortran_order': False}", 4), "unexpected"},
		"twice":        {npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4), "unexpected"},
		"code":         {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),), }", 4), "unexpected"},
		"negative":     {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4), "unexpected"},
		"overflow":     {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 4), "more elements"},
		"short":        {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4), "want"},
		"long":         {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 12), "want"},
		"33 axes":      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 33)+"), }", 4), "unexpected"},
		"unclosed":     {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4), "unexpected"},
		"rest":         {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 1", 4), "unexpected"},
		"empty header": {npy("", 4), "unexpected"},
		"version":      {"\x93NUMPY\x09\x00", "version"},
		"header 4 GB":  {"\x93NUMPY\x02\x00\xff\xff\xff\xff", "at most"},
		"no array":     {"hello, world", "not an array"},
	} {
		if _, err := parse(zipOf(t, "a.npy", c.b)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// TestBomb has arrays of zeros that deflate to nothing: memory is asked for only if the claim is possible, and
// not without end.
func TestBomb(t *testing.T) {
	bomb := []byte(zipOf(t, "a.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4000000,), }", 4000000)))
	if _, err := parse(bomb); err == nil || !strings.Contains(err.Error(), "more than 64 times") {
		t.Errorf("error %v", err)
	}
	// The size in the directory is 24 bytes behind its signature; 4 GB could not come out of so little.
	at := bytes.LastIndex(bomb, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(bomb[at+24:], 0xfffffff0)
	if _, err := parse(bomb); err == nil || !strings.Contains(err.Error(), "more than compression can do") {
		t.Errorf("error %v", err)
	}
}

// TestDamagedZip flips a bit of a compressed array: the checksum tells.
func TestDamagedZip(t *testing.T) {
	b, err := os.ReadFile("testdata/packed.npz")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("f32.npy")) + 200
	b[at] ^= 4
	f, err := parse(b)
	if err != nil {
		return
	}
	if _, err := f.Tensor("f32"); err == nil {
		t.Error("no error")
	}
}

// FuzzTorch wants no panic, and whatever opens to be readable or an error.
func FuzzTorch(f *testing.F) {
	for _, name := range []string{"dict.pth", "legacy.pth", "checkpoint.pth", "protocol4.pth", "packed.npz", "arrays.npz", "module.pth"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parse(b)
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			info, _ := file.Info(name)
			if x, err := file.Tensor(name); err == nil && x.Shape().TotalSize() != info.Elements() {
				t.Errorf("%q has %d elements, want %d", name, x.Shape().TotalSize(), info.Elements())
			}
		}
	})
}

// FuzzPickle gives the interpreter pickles without a container around them.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(dictOf(tensorOf("K\x04", "K\x00", "K\x02K\x02\x86", "K\x02K\x01\x86"))))
	f.Add([]byte("\x80\x02]q\x00h\x00a."))
	f.Add([]byte("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93\x85R."))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := torchReader{storages: make(map[string]*torchStorage)}
		r.place = func(s *torchStorage) error { s.storage = &storage{size: 1 << 12}; return nil }
		root, err := r.unpickler(bytes.NewReader(b)).load()
		if err != nil {
			return
		}
		infos, err := stateDict(root)
		if err != nil {
			return
		}
		for _, info := range infos {
			if info.begin < 0 || info.end > 1<<12 || info.Elements() > 1<<12 {
				t.Errorf("%+v reaches out of its storage", info)
			}
		}
	})
}

// TestOtherPickles has what other versions of PyTorch and Python write, instruction by instruction.
func TestOtherPickles(t *testing.T) {
	numbers := []float32{1, -2, 3.5, 1e-20}
	var four []byte
	for _, v := range numbers {
		four = binary.LittleEndian.AppendUint32(four, math.Float32bits(v))
	}
	whole := "K\x04\x85K\x01\x85" // shape and strides
	v2 := rebuildV2 + "(" + storageOf("K\x04") + "K\x00" + whole + tail
	pair := "]" + pickled("w") + "a" + v2 + "a"
	untypedStorage := strings.Replace(storageOf("K\x10"), floats, "ctorch.storage\nUntypedStorage\n", 1)
	for name, p := range map[string]string{
		"OrderedDict of pairs (Python 2)":     "\x80\x02ccollections\nOrderedDict\n(]" + pair + "atR.",
		"_rebuild_tensor":                     dictOf("ctorch._utils\n_rebuild_tensor\n(" + storageOf("K\x04") + "K\x00" + whole + "tR"),
		"_rebuild_tensor_v3, bytes":           dictOf("ctorch._utils\n_rebuild_tensor_v3\n(" + untypedStorage + "K\x00" + whole + "\x89Nctorch\nfloat32\ntR"),
		"_rebuild_parameter":                  dictOf("ctorch._utils\n_rebuild_parameter\n(" + v2 + "\x88NtR"),
		"_rebuild_from_type_v2":               dictOf("ctorch._tensor\n_rebuild_from_type_v2\n(" + rebuildV2 + "ctorch.nn.parameter\nParameter\n(" + storageOf("K\x04") + "K\x00" + whole + "\x89NtNtR"),
		"torch.Size":                          dictOf(rebuildV2 + "(" + storageOf("K\x04") + "K\x00" + "ctorch\nSize\n(K\x04\x85tRK\x01\x85" + tail),
		"long integers":                       dictOf(rebuildV2 + "(" + storageOf("\x8a\x01\x04") + "\x8a\x00\x8a\x02\x04\x00\x85M\x01\x00\x85" + tail),
		"nested in 'model', with an extra":    "\x80\x02}(" + pickled("epoch") + "K\x07" + pickled("model") + "}(" + pickled("w") + v2 + pickled("_extra") + "Nuu.",
		"state behind an object is let be":    "\x80\x02}(" + pickled("args") + "cargparse\nNamespace\n)\x81}" + pickled("lr") + "G?\xf0\x00\x00\x00\x00\x00\x00sb" + pickled("w") + v2 + "u.",
		"popped, doubled, listed, on the way": "\x80\x02N0N20" + "0(NN1(K\x01l0" + dictOf(v2)[2:],
	} {
		f, err := parse(torchZip(t, p, four))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := mustTensor(t, f, "w"); len(f.Names()) != 1 || !slices.Equal(got.Float32s(), numbers) {
			t.Errorf("%s: %v of %v, want %v", name, got.Float32s(), f.Names(), numbers)
		}
	}
}
