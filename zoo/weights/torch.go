package weights

import (
	"archive/zip"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// storageTypes are PyTorch's storage classes, and its types, with real numbers.
var storageTypes = map[pickleGlobal]DType{
	"torch.DoubleStorage": F64, "torch.FloatStorage": F32, "torch.HalfStorage": F16, "torch.BFloat16Storage": BF16,
	"torch.LongStorage": I64, "torch.IntStorage": I32, "torch.ShortStorage": I16, "torch.CharStorage": I8,
	"torch.ByteStorage": U8, "torch.BoolStorage": Bool,
	"torch.float64": F64, "torch.float32": F32, "torch.float16": F16, "torch.bfloat16": BF16,
	"torch.int64": I64, "torch.int32": I32, "torch.int16": I16, "torch.int8": I8, "torch.uint8": U8, "torch.bool": Bool,
}

// untyped is a storage of bytes, whose tensors bring their type.
var untyped = []pickleGlobal{"torch.UntypedStorage", "torch.storage.UntypedStorage"}

// harmless are classes that training programs leave in checkpoints. Their objects are passed over.
var harmless = []pickleGlobal{
	"argparse.Namespace", "types.SimpleNamespace", "pathlib.PosixPath", "pathlib.Path", "torch.device", "datetime.datetime",
	"numpy.dtype", "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct", "numpy.ndarray",
	"numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct", "_codecs.encode",
	"builtins.set", "__builtin__.set", "builtins.object", "__builtin__.object", "copyreg._reconstructor", "copy_reg._reconstructor",
	"torch.Generator", "torch._C.Generator", "builtins.bytearray", "__builtin__.bytearray",
}

// torchStorage is what a tensor of a pickle has its elements in.
type torchStorage struct {
	key   string
	dtype DType // "" for bytes
	count int64 // elements, or bytes
	*storage
}

// torchTensor is a tensor of a pickle.
type torchTensor struct {
	dtype          DType
	from           *torchStorage
	offset         int64
	shape, strides []int64
}

// torchReader collects the storages that a pickle names.
type torchReader struct {
	storages map[string]*torchStorage
	place    func(*torchStorage) error // finds the bytes; nil if they come later
}

// readTorch reads the pickle of a file that torch.save of PyTorch 1.6 or newer wrote.
func readTorch(pickle *zip.File, entries map[string]*zip.File, size int64) ([]Info, error) {
	if err := checkPacked(pickle, size); err != nil {
		return nil, err
	}
	folder := path.Dir(pickle.Name)
	if e := entries[path.Join(folder, "byteorder")]; e != nil {
		order, err := unpack(e, int64(min(e.UncompressedSize64, 10)))
		if err != nil || string(order) != "little" {
			return nil, errors.Errorf("PyTorch: byte order %q, want little", order)
		}
	}
	t := torchReader{storages: make(map[string]*torchStorage)}
	t.place = func(s *torchStorage) error {
		e := entries[path.Join(folder, "data", s.key)]
		if e == nil {
			return errors.Errorf("there are no bytes for storage %q", s.key)
		}
		var err error
		s.storage, err = entryStorage(e, size)
		return err
	}
	r, err := pickle.Open()
	if err != nil {
		return nil, errors.Wrap(err, "PyTorch")
	}
	defer r.Close()
	root, err := t.unpickler(r).load()
	if err != nil {
		return nil, errors.WithMessage(err, "PyTorch")
	}
	infos, err := stateDict(root)
	return infos, errors.WithMessage(err, "PyTorch")
}

// magic is the number that begins a file older than PyTorch 1.6: 0x1950a86a20f9469cfc6c as a pickle.
const magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

// legacyTorch recognises the start of such a file, with and without the frame of protocol 4.
func legacyTorch(start string) bool {
	return strings.HasPrefix(start, "\x80") && (strings.HasPrefix(start[min(2, len(start)):], magic) ||
		strings.HasPrefix(start[min(2, len(start)):], "\x95") && strings.HasPrefix(start[min(11, len(start)):], magic))
}

// readLegacyTorch reads what PyTorch wrote before 1.6: pickles of the magic number, a version, the machine, the
// object and the list of storages, and then the storages, each behind its count of elements.
func readLegacyTorch(r io.ReaderAt, size int64) ([]Info, error) {
	t := torchReader{storages: make(map[string]*torchStorage)}
	counted := &countingReader{r: io.NewSectionReader(r, 0, size)}
	u := t.unpickler(counted)
	var part [5]any
	for i := range part {
		var err error
		if part[i], err = u.load(); err != nil {
			return nil, errors.WithMessage(err, "PyTorch")
		}
	}
	if v, ok := part[1].(int64); !ok || v != 1001 {
		return nil, errors.Errorf("PyTorch: version %s, want 1001", describe(part[1]))
	}
	keys, ok := part[4].(*pickleList)
	if !ok {
		return nil, errors.Errorf("PyTorch: %s in place of the list of storages", describe(part[4]))
	}
	at := counted.n - int64(u.r.Buffered())
	for _, k := range keys.items {
		key, _ := k.(string)
		s := t.storages[key]
		if s == nil || s.storage != nil || s.dtype == "" {
			return nil, errors.Errorf("PyTorch: storage %s is unknown or there twice", describe(k))
		}
		var b [8]byte
		if err := readAt(r, b[:], at); err != nil {
			return nil, errors.WithMessage(err, "PyTorch: truncated")
		}
		n, bytes := int64(le.Uint64(b[:])), s.count*dtypes[s.dtype].size
		if at += 8; n != s.count || bytes > size-at {
			return nil, errors.Errorf("PyTorch: storage %q of %d elements, %d announced, with %d bytes of file left: damaged or truncated", key, n, s.count, size-at)
		}
		s.storage = &storage{at: at, size: bytes}
		at += bytes
	}
	infos, err := stateDict(part[3])
	return infos, errors.WithMessage(err, "PyTorch")
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func (t *torchReader) unpickler(r io.Reader) *unpickler {
	u := newUnpickler(r)
	u.call, u.persistent = t.call, t.persistent
	return u
}

// persistent is a storage: ("storage", class, key, device, count) and, in old files, a view of it or None.
func (t *torchReader) persistent(id any) (any, error) {
	parts, ok := id.(pickleTuple)
	if !ok || len(parts) < 5 || len(parts) > 6 || parts[0] != any("storage") {
		return nil, errors.Errorf("%s is not a storage", describe(id))
	}
	class, ok1 := parts[1].(pickleGlobal)
	key, ok2 := parts[2].(string)
	count, ok3 := parts[4].(int64)
	dt, known := storageTypes[class]
	known = known || slices.Contains(untyped, class)
	// No file is as long as 2⁵⁶ bytes.
	if !ok1 || !ok2 || !ok3 || !known || count < 0 || count > 1<<56 {
		return nil, errors.Errorf("storage %s of class %s with %s elements is not read", describe(parts[2]), describe(parts[1]), describe(parts[4]))
	}
	s := t.storages[key]
	if s == nil {
		s = &torchStorage{key: key, dtype: dt, count: count}
		if t.place != nil {
			if err := t.place(s); err != nil {
				return nil, err
			}
		}
		t.storages[key] = s
	}
	if s.dtype != dt || s.count != count {
		return nil, errors.Errorf("storage %q has %d elements of %s and %d of %s", key, s.count, s.dtype, count, dt)
	}
	if len(parts) == 6 && parts[5] != nil {
		view, ok := parts[5].(pickleTuple) // key, offset, count
		if !ok || len(view) != 3 {
			return nil, errors.Errorf("storage %q: a view is a %s", key, describe(parts[5]))
		}
		begin, ok := view[1].(int64)
		if !ok || begin < 0 || begin > count {
			return nil, errors.Errorf("storage %q of %d elements: view from %s on", key, count, describe(view[1]))
		}
		return &torchView{s, begin}, nil
	}
	return &torchView{s, 0}, nil
}

// torchView is a storage from an element on.
type torchView struct {
	*torchStorage
	begin int64
}

// call does what the few functions of a state dict would do.
func (t *torchReader) call(f pickleGlobal, args pickleTuple) (any, error) {
	switch f {
	case "collections.OrderedDict", "builtins.dict", "__builtin__.dict", "collections.defaultdict":
		d := new(pickleDict)
		if len(args) == 1 && f == "collections.OrderedDict" {
			return d, fill(d, args[0])
		}
		return d, nil
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return rebuild(f, args)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter":
		if len(args) > 0 {
			if x, ok := args[0].(*torchTensor); ok {
				return x, nil
			}
		}
	case "torch._tensor._rebuild_from_type_v2":
		if len(args) == 4 {
			g, ok1 := args[0].(pickleGlobal)
			a, ok2 := args[2].(pickleTuple)
			if ok1 && ok2 && g != f {
				return t.call(g, a)
			}
		}
	case "torch.Size":
		if len(args) == 1 {
			if size, ok := args[0].(pickleTuple); ok {
				return size, nil
			}
		}
	default:
		if slices.Contains(harmless, f) {
			return pickleOther{f}, nil
		}
		return nil, errors.Errorf("the file calls %s, which no state dict needs; save model.state_dict() alone", f)
	}
	return nil, errors.Errorf("%s with %d arguments that do not fit", f, len(args))
}

// fill is OrderedDict([[key, value], …]), as Python 2 wrote it.
func fill(d *pickleDict, pairs any) error {
	list, ok := pairs.(*pickleList)
	if !ok {
		return errors.Errorf("OrderedDict of a %s", describe(pairs))
	}
	for _, p := range list.items {
		pair, ok := p.(*pickleList)
		if !ok || len(pair.items) != 2 {
			return errors.New("OrderedDict of what are not pairs")
		}
		if err := set(d, pair.items); err != nil {
			return err
		}
	}
	return nil
}

// rebuild is a tensor of (storage, offset, size, stride, …); _v3 has its type as the last but one argument.
func rebuild(f pickleGlobal, args pickleTuple) (any, error) {
	if len(args) < 4 {
		return nil, errors.Errorf("%s with %d arguments, want at least 4", f, len(args))
	}
	view, ok1 := args[0].(*torchView)
	offset, ok2 := args[1].(int64)
	shape, ok3 := integers(args[2])
	strides, ok4 := integers(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || offset < 0 || offset > 1<<56 {
		return nil, errors.Errorf("%s with arguments that do not fit", f)
	}
	dt := view.dtype
	if f == "torch._utils._rebuild_tensor_v3" && len(args) > 6 {
		g, _ := args[6].(pickleGlobal)
		dt = storageTypes[g]
	}
	if dt == "" {
		return nil, errors.Errorf("%s: a tensor without type that is read", f)
	}
	return &torchTensor{dtype: dt, from: view.torchStorage, offset: view.begin + offset, shape: shape, strides: strides}, nil
}

func integers(v any) ([]int64, bool) {
	t, ok := v.(pickleTuple)
	if !ok || len(t) > maxRank {
		return nil, false
	}
	out := make([]int64, len(t))
	for i, x := range t {
		if out[i], ok = x.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}

// wrappers are the keys under which training programs keep the state dict, in order of preference.
var wrappers = []string{"state_dict", "model_state_dict", "model", "model_state", "net", "network", "params", "weights", "state_dict_ema", "model_ema"}

// stateDict finds the dict of tensors in what a file holds, and gives its tensors their places. The prefix
// "module.", which PyTorch's DataParallel puts before all names, is taken off.
func stateDict(root any) ([]Info, error) {
	d, ok := root.(*pickleDict)
	if !ok {
		return nil, errors.Errorf("the file holds a %s, want a state dict", describe(root))
	}
	var keys []string
	if !d.hasTensors() {
		inner := make(map[string]*pickleDict)
		for i, k := range d.keys {
			key, _ := k.(string)
			keys = append(keys, fmt.Sprintf("%.40q", key))
			if sub, ok := d.values[i].(*pickleDict); ok && sub.hasTensors() {
				inner[key] = sub
			}
		}
		d = nil
		for _, w := range wrappers {
			if d = inner[w]; d != nil {
				break
			}
		}
	}
	if d == nil {
		return nil, errors.Errorf("no state dict among %s", strings.Join(keys[:min(len(keys), 10)], ", "))
	}
	var infos []Info
	parallel := true
	for i, v := range d.values {
		x, ok := v.(*torchTensor)
		if !ok {
			continue
		}
		name, ok := d.keys[i].(string)
		if !ok {
			return nil, errors.Errorf("a tensor is named by a %s, want a string", describe(d.keys[i]))
		}
		if x.from.storage == nil {
			return nil, errors.Errorf("tensor %q: storage %q is not in the file", name, x.from.key)
		}
		size := int64(1)
		if x.from.dtype != "" {
			size = dtypes[x.from.dtype].size
		}
		if x.from.count > x.from.size/size {
			return nil, errors.Errorf("tensor %q: storage %q has %d bytes, too few for %d elements", name, x.from.key, x.from.size, x.from.count)
		}
		info, err := strided(name, x.dtype, x.from.storage, x.offset, x.shape, x.strides)
		if err != nil {
			return nil, errors.WithMessagef(err, "tensor %q", name)
		}
		parallel = parallel && strings.HasPrefix(name, "module.")
		infos = append(infos, info)
	}
	for i := range infos {
		if parallel {
			infos[i].Name = strings.TrimPrefix(infos[i].Name, "module.")
		}
	}
	return infos, nil
}

func (d *pickleDict) hasTensors() bool {
	return slices.ContainsFunc(d.values, func(v any) bool { _, ok := v.(*torchTensor); return ok })
}

// describe names what a pickle made, without what it holds: that may be itself.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *torchTensor:
		return "single tensor"
	case *pickleList:
		return fmt.Sprintf("list of %d", len(v.items))
	case pickleTuple:
		return fmt.Sprintf("tuple of %d", len(v))
	case *pickleDict:
		return "dict"
	case pickleOther:
		return string(v.class)
	case pickleGlobal:
		return fmt.Sprintf("%.80s", string(v))
	case string:
		return fmt.Sprintf("string %.40q", v)
	case int64:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%T", v)
}
